/** A node with two pods on routed cables, each a network namespace: what service rules are measured on. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { CLAIMS } from "#kernel/claims";
import type { NetKernel } from "#kernel/kernel";
import { openKernel } from "#kernel/open";
import { PROBE } from "./services-objects.ts";

export const CLIENT_IP = "10.42.0.2";
const GATEWAY = "169.254.1.1";

export interface BenchNode {
  /** Names of namespaces. */
  readonly node: string;
  readonly client: string;
  readonly server: string;
  readonly kernel: NetKernel;
}

/** Goes with `stack`. */
export function openBenchNode(
  stack: { use: DisposableStack["use"]; defer: (f: () => void) => void },
  name: string,
): BenchNode {
  const kernel = stack.use(openKernel());
  const named = (part: string) => {
    const netns = `twt-${process.pid}-${name}-${part}`;
    const path = join(CLAIMS.netnsDir, netns);
    stack.defer(() => kernel.deleteNetns(path));
    return { netns, ns: stack.use(kernel.createNetns(path)) };
  };
  const [node, client, server] = [named("n"), named("c"), named("s")];
  for (const [pod, ip] of [
    [client.netns, CLIENT_IP],
    [server.netns, PROBE.podIp],
  ] as const)
    wire(node.netns, pod, ip);
  const inside = stack.use(kernel.openIn(node.ns));
  inside.sysctl.write("net/ipv4/conf/all/forwarding", 1);
  return { node: node.netns, client: client.netns, server: server.netns, kernel: inside };
}

function wire(node: string, pod: string, ip: string): void {
  const link = `to-${pod.at(-1)}`;
  ipBatch(
    node,
    `link add ${link} type veth peer name eth0 netns ${pod}
link set ${link} up
addr add ${GATEWAY}/32 dev ${link}
route add ${ip}/32 dev ${link}
`,
  );
  ipBatch(
    pod,
    `link set eth0 up
addr add ${ip}/32 dev eth0
route add ${GATEWAY}/32 dev eth0
route add default via ${GATEWAY}
`,
  );
}

function ipBatch(netns: string, lines: string): void {
  const { status, stderr } = spawnSync("ip", ["-n", netns, "-batch", "-"], {
    input: lines,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`ip -batch in ${netns}: ${stderr}`);
}
