import type { ChildProcess } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { deploy } from "#addons/deploy";
import { Fault } from "#fault/fault";
import { writeFileAtomic } from "#join/file";
import { openKernel } from "#kernel/open";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import type { Informer } from "#kube/informer";
import { formatKubeconfig, readKubeconfig } from "#kube/kubeconfig";
import { openInformer } from "#kube/open-informer";
import { DEPLOYMENTS, NODES, PODS } from "#kube/resources";
import { silentLog } from "#telemetry/log";
import {
  type AwaitedNode,
  awaitApi,
  awaitDeployment,
  awaitKubeconfig,
  awaitNodes,
  whileAlive,
} from "./await-cluster.ts";
import { endNode } from "./change.ts";
import { buildContainerdImages, placeBusybox } from "./containerd.ts";
import { askFromOutside, awaitAnswers, readDemo, type Tally } from "./demo.ts";
import { holdLab } from "./hold.ts";
import {
  type BuiltProgram,
  bringsOwnNetwork,
  hasContainerd,
  lastLines,
  launchNode,
  PAGE_NODE_PORT,
  withoutDns,
} from "./launch.ts";
import { type LabLayout, type LabNode, layoutOf } from "./layout.ts";
import { LabPorts } from "./ports.ts";
import { checkBackend, checkPlace, checkRoot } from "./preflight.ts";
import { buildProgram } from "./program-bundle.ts";
import { type LabRecord, readRecord, writeRecord } from "./record.ts";
import { isRunning, settleLab } from "./settle.ts";
import { openSteps, type Steps } from "./steps.ts";
import { nodeTable, podTable } from "./table.ts";
import type { UpOptions } from "./up-options.ts";

/** Makes a cluster on this machine and waits until it works; what stands is started again where it had died.
 *  @throws {Fault} with a sentence that says what to do */
export async function up(options: UpOptions): Promise<void> {
  checkRoot("./twill up");
  checkPlace(options.program.root);
  const { dir } = layoutOf(options.name, 1);
  using _hold = await holdLab(options.name);
  const standing = readRecord(dir);
  const layout = layoutOf(options.name, options.nodes ?? standing?.nodes ?? 1);
  const steps = openSteps(options.write);
  using kernel = openKernel();
  checkBackend(kernel, options.serverFlags);
  using ports = new LabPorts();
  const record = await settleLab(kernel, layout, steps, { ...options, ports });
  const built = await steps.run("built what the nodes run", () => buildProgram(options.program.root));
  const program = { ...options.program, ...built };
  if (hasContainerd(record.serverFlags)) {
    await steps.run("built the images for containerd", () => buildContainerdImages(built.imagesDir));
    for (const node of layout.nodes) placeBusybox(built.imagesDir, node, record);
  }
  const stopped = layout.nodes.filter((node) => !isRunning(layout, node));
  const now = options.clock.now();
  const awaited = layout.nodes.map((node) => ({ name: node.name, since: stopped.includes(node) ? now : 0 }));
  const children = stopped.map((node) => startNode({ layout, record, program, ports }, node));
  if (stopped.length > 0) await steps.run(`started ${stopped.map(({ name }) => name).join(", ")}`, () => {});
  const ended = Promise.race(children.map(({ node, child }) => endOf(node, child)));
  try {
    await whileAlive(awaitCluster({ layout, record, awaited, program, ports }, steps, options), ended);
    writeRecord(layout.dir, { ...record, isUp: true, outdated: [] });
  } finally {
    // They go on without us.
    for (const { child } of children) child.unref();
  }
}

/** Nodes that run with the flags before, one after the other, the server first; each is ready before the next one ends. */
async function bringUpToDate(
  standing: Standing,
  nodes: Informer<Node>,
  steps: Steps,
  { clock, signal }: UpOptions,
): Promise<void> {
  const { layout, record } = standing;
  const outdated = new Set(record.outdated);
  for (const node of layout.nodes.filter(({ name }) => outdated.has(name))) {
    await steps.run(`${node.name} runs with the new flags, and is ready`, async (progress) => {
      await endNode(layout, node, { clock, signal });
      const awaited = [{ name: node.name, since: clock.now() }];
      const { child } = startNode(standing, node);
      try {
        await whileAlive(awaitNodes(nodes, awaited, { progress, signal }), endOf(node, child));
      } finally {
        child.unref();
      }
    });
    outdated.delete(node.name);
    writeRecord(layout.dir, { ...record, outdated: [...outdated] });
  }
}

interface Standing {
  readonly layout: LabLayout;
  readonly record: LabRecord;
  readonly program: BuiltProgram;
  readonly ports: LabPorts;
}

interface StartedNode {
  readonly node: LabNode;
  readonly child: ChildProcess;
}

function startNode({ layout, record, program, ports }: Standing, node: LabNode): StartedNode {
  if (node.role === "server") rmSync(serverKubeconfig(node), { force: true });
  return { node, child: launchNode(program, layout, node, { record, ports }) };
}

function endOf(node: LabNode, child: ChildProcess): Promise<Fault> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const how = signal ?? `code ${code}`;
      resolve(
        new Fault(
          "NodeEnded",
          `Node ${node.name} ended (${how}). It said last:\n${lastLines(node, 5)}\nAll of it: ${node.logFile}`,
        ),
      );
    });
  });
}

/** What the server writes to its own /etc/rancher/k3s/k3s.yaml. */
function serverKubeconfig(node: LabNode): string {
  return join(node.dir, "etc/rancher/k3s/k3s.yaml");
}

async function awaitCluster(
  { awaited, ...standing }: Standing & { readonly awaited: readonly AwaitedNode[] },
  steps: Steps,
  options: UpOptions,
): Promise<void> {
  const { layout, record } = standing;
  const { clock, signal } = options;
  const [server] = layout.nodes;
  if (!server) throw new Error("broken invariant: a lab has a server");
  const url = `https://127.0.0.1:${record.apiPort}`;
  await using client = await steps.run(`the API answers on ${url}`, async () => {
    const connection = {
      ...readKubeconfig(await awaitKubeconfig(serverKubeconfig(server), { clock, signal })),
      server: url,
    };
    writeFileAtomic(record.kubeconfig, formatKubeconfig({ ...connection, name: record.name }), 0o600);
    const opened = openClient({ ...connection, userAgent: "twill-up", clock });
    await awaitApi(opened, { clock, signal });
    return opened;
  });
  const life = new AbortController();
  const watching = { clock, log: silentLog, signal: AbortSignal.any([signal, life.signal]) };
  try {
    const nodes = openInformer(client, NODES, watching);
    const deployments = openInformer(client, DEPLOYMENTS, watching);
    const needReady = !bringsOwnNetwork(record.serverFlags);
    await steps.run(needReady ? "nodes are ready" : "nodes are there", (progress) =>
      awaitNodes(nodes, awaited, { progress, signal, needReady }),
    );
    await bringUpToDate(standing, nodes, steps, options);
    if (needReady && !withoutDns(record.serverFlags)) {
      await steps.run("DNS is ready", (progress) =>
        awaitDeployment(deployments, "kube-system/coredns", { progress, signal }),
      );
    }
    const tally = options.isDemo
      ? await showDemo({ client, deployments }, record, steps, options)
      : undefined;
    const pods = await client.list(PODS);
    options.write(
      farewell({
        record,
        tally,
        tables: `${nodeTable(nodes.list())}\n\n${podTable(pods.items)}`,
        seconds: steps.seconds(),
        outside: tally ? askFromOutside(layout, record) : [],
        networkDirs: needReady ? [] : layout.nodes.map(({ dir }) => join(dir, "etc/cni/net.d")),
      }),
    );
  } finally {
    life.abort();
  }
}

async function showDemo(
  {
    client,
    deployments,
  }: {
    client: KubeClient;
    deployments: ReturnType<typeof openInformer<never>> | Parameters<typeof awaitDeployment>[0];
  },
  record: LabRecord,
  steps: Steps,
  { program, clock, signal }: UpOptions,
): Promise<Tally> {
  const objects = readDemo(join(program.root, "demo"));
  await steps.run("applied the manifests in demo/", () => deploy(client, objects, "twill-demo"));
  for (const name of ["web", "client"]) {
    await steps.run(`demo: ${name} is ready`, (progress) =>
      awaitDeployment(deployments, `default/${name}`, { progress, signal }),
    );
  }
  const page = `http://127.0.0.1:${record.pagePort}/`;
  return await steps.run("demo: every web pod has answered the client", (progress) =>
    awaitAnswers(page, 3, { clock, progress, signal }),
  );
}

function farewell(told: {
  record: LabRecord;
  tally: Tally | undefined;
  tables: string;
  seconds: number;
  outside: readonly string[];
  networkDirs: readonly string[];
}): string {
  const { record, tally } = told;
  const name = record.name === "twill" ? "" : ` --name ${record.name}`;
  const demo = tally
    ? [
        "The client asked http://web by name and was answered by:",
        ...tally.map(([pod, answers]) => `  ${pod}  ${answers === 1 ? "once" : `${answers} times`}`),
        `It goes on asking: http://127.0.0.1:${record.pagePort}/ (NodePort ${PAGE_NODE_PORT} of every node)`,
        "",
      ]
    : [];
  const wanting = [
    "Pods start once each node has a network configuration (plugins: /opt/cni/bin and /usr/lib/cni):",
    ...told.networkDirs.map((dir) => `  ${dir}`),
    "",
  ];
  const next = [
    ...(told.networkDirs.length > 0 ? wanting : []),
    "Next:",
    `  ./twill kubectl${name} get pods -A -o wide`,
    ...(tally
      ? [`  ./twill kubectl${name} logs deploy/client -f`, ...told.outside]
      : [`  ./twill kubectl${name} apply -f demo/`]),
    `  export KUBECONFIG=${record.kubeconfig}`,
    `  ./twill down${name}`,
  ];
  return `\n${told.tables}\n\n${[...demo, `The cluster was up in ${told.seconds.toFixed(1)} s.`, ...next].join("\n")}\n`;
}
