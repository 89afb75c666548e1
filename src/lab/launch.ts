import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatEndpoint, type Ip } from "#addr/ip";
import { spawnInNamespaces } from "#kernel/mount-namespace";
import type { LabLayout, LabNode } from "./layout.ts";
import { IMAGES_IN_NODE, placeImages } from "./place-images.ts";
import type { LabPorts } from "./ports.ts";
import type { Built } from "./program-bundle.ts";
import type { LabRecord } from "./record.ts";

/** Where the program is and what runs it. */
export interface Program {
  readonly root: string;
  readonly node: string;
}

/** A program and the files its nodes run from. */
export type BuiltProgram = Program & Built;

/** The port the demo's page has on every node. */
export const PAGE_NODE_PORT = 30080;
/** A node makes much garbage while it starts and little afterwards; by default Node then keeps the room for it. A server is
 *  smaller by 25 MB, at no cost in time that shows. Left alone, V8 also lets the heap grow to several times what lives in it
 *  before it looks again: with ten thousand pods that is another 90 MB. The launcher says the same for nodes outside of labs. */
const NODE_FLAGS = ["--max-semi-space-size=4", "--heap-growing-percent=50"];
const NODE_ENVIRONMENT = { MALLOC_ARENA_MAX: "2" };
/** Descriptors after standard input, output and error: the API's socket, then the page's. */
const API_FD = 3;
const PAGE_FD = 4;

/** Starts the node's `twill server` or `twill agent`, in its own session, logging to its file. */
export function launchNode(
  program: BuiltProgram,
  layout: LabLayout,
  node: LabNode,
  { record, ports }: { readonly record: LabRecord; readonly ports: LabPorts },
): ChildProcess {
  using sockets = new DisposableStack();
  const fds: number[] = [];
  const environment: Record<string, string> = {};
  if (node.role === "server") {
    fds.push(sockets.use(ports.take(record.apiPort)).number);
    environment["LISTEN_FDS"] = "1";
    if (record.pagePort !== undefined) {
      fds.push(sockets.use(ports.take(record.pagePort)).number);
      const [ip] = nodeIps(node, record.serverFlags);
      environment["TWILL_RELAY"] = `${PAGE_FD}=${formatEndpoint(ip, PAGE_NODE_PORT)}`;
    }
  }
  placeImages(program.imagesDir, node, { forContainerd: hasContainerd(record.serverFlags) });
  const log = openSync(node.logFile, "a");
  try {
    return spawnInNamespaces({
      netns: node.netns,
      mountNamespace: node.mountNamespace,
      hostname: node.name,
      command: program.node,
      args: [...NODE_FLAGS, program.entry, ...argsOf(layout, node, record)],
      env: {
        ...environmentOf(program),
        K3S_TOKEN: record.token,
        TWILL_IMAGES: IMAGES_IN_NODE,
        TWILL_CGROUP_ROOT: join(layout.cgroup, node.name),
        ...environment,
      },
      cwd: "/",
      stdio: ["ignore", log, log, ...fds],
    });
  } finally {
    closeSync(log);
  }
}

/** Nearly all of somebody's disk may be full: that is no reason to end what their lab runs. What they say themselves comes later, and counts. */
const KEEPS_PODS = ["--kubelet-arg", "eviction-hard=nodefs.available<0%"];

function argsOf(layout: LabLayout, node: LabNode, record: LabRecord): readonly string[] {
  const runtime = hasOwnRuntime(record.serverFlags) ? [] : ["--runtime", "process"];
  const ips = nodeIps(node, record.serverFlags).join(",");
  const common = ["--node-name", node.name, "--node-ip", ips, ...runtime, ...KEEPS_PODS];
  if (node.role === "server") return ["server", ...common, ...record.serverFlags];
  const [server = node] = layout.nodes;
  const [ip] = nodeIps(server, record.serverFlags);
  const url = `https://${formatEndpoint(ip, apiPortOf(record.serverFlags))}`;
  return ["agent", ...common, ...record.agentFlags, "--server", url];
}

/** The families of the pods' networks, in their order: a node needs an address of each. */
export function nodeIps(node: LabNode, serverFlags: readonly string[]): readonly [Ip, ...Ip[]] {
  const cidrs = flagValues(serverFlags, "cluster-cidr").flatMap((text) => text.split(","));
  const [first = "10.42.0.0/16", ...rest] = cidrs.map((cidr) => cidr.trim());
  const ipOf = (cidr: string) => node.ips[cidr.includes(":") ? 1 : 0];
  return [ipOf(first), ...rest.map(ipOf)];
}

function apiPortOf(serverFlags: readonly string[]): number {
  return Number(flagValues(serverFlags, "https-listen-port").at(-1) ?? 6443);
}

/** Whether somebody else's network is to connect the pods (`--flannel-backend=none`). */
export function bringsOwnNetwork(serverFlags: readonly string[]): boolean {
  return flagValues(serverFlags, "flannel-backend").at(-1) === "none";
}

/** Whether these flags of a server leave the cluster without working names: no CoreDNS, or none that pods could reach. */
export function withoutDns(serverFlags: readonly string[]): boolean {
  const hasNoProxy = serverFlags.some((word) => /^--disable-kube-proxy(=true)?$/.test(word));
  return hasNoProxy || leavesOut(serverFlags, "coredns");
}

/** Whether these flags of a server leave a packaged component out. */
export function leavesOut(serverFlags: readonly string[], component: string): boolean {
  const left = ["disable", "no-deploy"].flatMap((name) => flagValues(serverFlags, name));
  return left.some((text) => text.split(",").some((item) => item.trim() === component));
}

/** Whether `up` was told what runs containers; otherwise processes do, whatever is installed here. */
function hasOwnRuntime(serverFlags: readonly string[]): boolean {
  return ["runtime", "container-runtime-endpoint"].some((name) => flagValues(serverFlags, name).length > 0);
}

/** Whether the nodes of a lab with these flags have a containerd each. */
export function hasContainerd(serverFlags: readonly string[]): boolean {
  return flagValues(serverFlags, "runtime").at(-1) === "containerd";
}

/** Every value a flag was given, in order. */
export function flagValues(flags: readonly string[], name: string): readonly string[] {
  return flags.flatMap((word, i) => {
    if (word === `--${name}`) return flags[i + 1] ?? [];
    return word.startsWith(`--${name}=`) ? word.slice(name.length + 3) : [];
  });
}

function environmentOf(program: Program): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    ...NODE_ENVIRONMENT,
    NODE_COMPILE_CACHE: join(program.root, ".twill/compile-cache"),
  };
}

/** The last lines a node wrote, for the message that says why it ended. */
export function lastLines(node: LabNode, count: number): string {
  try {
    return readFileSync(node.logFile, "utf8").trimEnd().split("\n").slice(-count).join("\n");
  } catch {
    return "";
  }
}

export { API_FD };
