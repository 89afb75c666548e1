/** What attaching and detaching a pod costs, in the namespaces this process was started in: by Twill inside the agent, by Twill's
 *  executable, and by Debian's bridge, host-local and portmap. `bench/pods.ts` starts it where nothing can be left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseCidr } from "#addr/cidr";
import { openSandboxNetwork } from "#cni/open";
import { conflist, installExecutable } from "#cni/plugin/install";
import { Attachments } from "#cni/runtime/attachments";
import type { Attached } from "#cni/runtime/invocation";
import { parseNetworkList } from "#cni/runtime/network-list";
import { PluginVersions } from "#cni/runtime/plugin-versions";
import { ResultCache } from "#cni/runtime/result-cache";
import type { Kernel } from "#kernel/kernel";
import { openKernel } from "#kernel/open";
import { silentLog } from "#telemetry/log";
import type { PluginAgentSettings } from "../src/cni/testing/plugin-agent.ts";
import { type Sample, sampleOf } from "./pods-report.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DEBIAN = "/usr/lib/cni";
const PODS = 100;
/** Contenders take turns, so that none of them alone meets the machine's noise. */
const BURST = 10;
const MTU_BYTES = 1450;
const TIMEOUT_MS = 60_000;
const FIRST_HOST_PORT = 20_000;

interface Pod {
  readonly containerId: string;
  readonly netns: string;
  readonly hostPort: number;
}

interface Contender {
  readonly name: string;
  add(pod: Pod): Promise<void>;
  remove(pod: Pod): Promise<void>;
}

export interface CniFigures {
  readonly name: string;
  readonly alone: { readonly add: Sample; readonly remove: Sample };
  readonly together: {
    readonly add: Sample;
    readonly remove: Sample;
    readonly addMs: number;
    readonly removeMs: number;
  };
}

interface Site {
  readonly kernel: Kernel;
  readonly dir: string;
}

if (import.meta.main) {
  const site: Site = { kernel: openKernel(), dir: process.argv[2] ?? "" };
  const agent = await startAgent(site.dir);
  try {
    const contenders = [
      inProcess(site),
      executable(site),
      ...(existsSync(join(DEBIAN, "bridge")) ? [debian(site)] : []),
    ];
    process.stdout.write(JSON.stringify(await measure(site, contenders)));
  } finally {
    agent.kill();
  }
}

async function measure(
  { kernel, dir }: Site,
  contenders: readonly Contender[],
): Promise<readonly CniFigures[]> {
  let made = 0;
  const podsOf = (count: number): readonly Pod[] =>
    Array.from({ length: count }, () => {
      const n = made++;
      const netns = join(dir, "netns", String(n));
      kernel.createNetns(netns)[Symbol.dispose]();
      return { containerId: `bench${n}`, netns, hostPort: FIRST_HOST_PORT + n };
    });
  const forget = (pods: readonly Pod[]) => {
    for (const { netns } of pods) kernel.deleteNetns(netns);
  };
  const alone = contenders.map(() => ({ add: [] as number[], remove: [] as number[] }));
  for (let round = 0; round <= PODS / BURST; round++)
    for (const [i, contender] of contenders.entries()) {
      const pods = podsOf(BURST);
      const add: number[] = [];
      const remove: number[] = [];
      for (const pod of pods) add.push(await took(() => contender.add(pod)));
      for (const pod of pods) remove.push(await took(() => contender.remove(pod)));
      forget(pods);
      if (round === 0) continue; // It warms up.
      alone[i]?.add.push(...add);
      alone[i]?.remove.push(...remove);
    }
  const figures: CniFigures[] = [];
  for (const [i, contender] of contenders.entries()) {
    const pods = podsOf(PODS);
    const [add, addMs] = await atOnce(pods, (pod) => contender.add(pod));
    const [remove, removeMs] = await atOnce(pods, (pod) => contender.remove(pod));
    forget(pods);
    figures.push({
      name: contender.name,
      alone: { add: sampleOf(alone[i]?.add ?? []), remove: sampleOf(alone[i]?.remove ?? []) },
      together: { add: sampleOf(add), remove: sampleOf(remove), addMs, removeMs },
    });
  }
  return figures;
}

async function atOnce(
  pods: readonly Pod[],
  work: (pod: Pod) => Promise<void>,
): Promise<readonly [readonly number[], number]> {
  const began = performance.now();
  const each = await Promise.all(pods.map((pod) => took(() => work(pod))));
  return [each, performance.now() - began];
}

async function took(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

function inProcess({ kernel, dir }: Site): Contender {
  const network = openSandboxNetwork({
    kernel,
    bridge: "twb-own",
    mtuBytes: MTU_BYTES,
    podCidrs: [parseCidr("10.97.0.0/16")],
    clusterCidrs: [],
    ipamDir: join(dir, "own"),
    log: silentLog,
  });
  return {
    name: "Twill, in the agent",
    async add({ containerId, netns, hostPort }) {
      network.add({ containerId, ifname: "eth0", netns, portMappings: [mapping(hostPort)] });
    },
    async remove({ containerId }) {
      network.remove({ containerId, ifname: "eth0" });
    },
  };
}

/** As a runtime calls it: a process for each call, which asks the agent. */
function executable({ dir }: Site): Contender {
  const binDir = join(dir, "bin");
  mkdirSync(binDir);
  installExecutable(
    { binDir, socketPath: socketIn(dir) },
    { dir: join(ROOT, "bin/cni"), node: process.execPath },
  );
  return byPlugins("Twill's executable", conflist("bench-twill"), [binDir], dir);
}

function debian({ dir }: Site): Contender {
  const bridge = {
    type: "bridge",
    bridge: "twb-deb",
    isDefaultGateway: true,
    hairpinMode: true,
    mtu: MTU_BYTES,
    ipam: { type: "host-local", ranges: [[{ subnet: "10.99.0.0/16" }]], dataDir: join(dir, "debian") },
  };
  const portmap = { type: "portmap", snat: true, capabilities: { portMappings: true } };
  const list = JSON.stringify({ cniVersion: "1.0.0", name: "bench-debian", plugins: [bridge, portmap] });
  return byPlugins("bridge + host-local + portmap", list, [DEBIAN], dir);
}

/** Both by the same runtime, so that only the plugins differ. */
function byPlugins(name: string, text: string, binDirs: readonly string[], dir: string): Contender {
  const list = parseNetworkList(text);
  const attachments = new Attachments({
    binDirs,
    cache: new ResultCache(join(dir, `results-${list.name}`)),
    versions: new PluginVersions({ timeoutMs: TIMEOUT_MS }),
    timeoutMs: TIMEOUT_MS,
    log: silentLog,
  });
  const attachedOf = ({ containerId, netns, hostPort }: Pod): Attached => ({
    containerId,
    ifname: "eth0",
    netns,
    args: [["IgnoreUnknown", "1"]],
    capabilityArgs: { portMappings: [mapping(hostPort)] },
  });
  return {
    name,
    add: async (pod) => void (await attachments.add(list, attachedOf(pod))),
    remove: (pod) => attachments.remove(list, attachedOf(pod)),
  };
}

function mapping(hostPort: number) {
  return { hostPort, containerPort: 8080, protocol: "tcp" };
}

async function startAgent(dir: string): Promise<ChildProcess> {
  const settings: PluginAgentSettings = {
    socketPath: socketIn(dir),
    ipamDir: join(dir, "agent"),
    podCidrs: ["10.98.0.0/16"],
    clusterCidrs: [],
  };
  const program = join(ROOT, "src/cni/testing/plugin-agent.ts");
  const agent = spawn(process.execPath, [program, JSON.stringify(settings)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(agent.stdout, "data");
  return agent;
}

function socketIn(dir: string): string {
  return join(dir, "cni.sock");
}
