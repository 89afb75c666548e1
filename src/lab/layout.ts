import { join } from "node:path";
import { type IpPrefix, ipPrefixOf } from "#addr/cidr";
import { addToIp, type Ip, parseIp } from "#addr/ip";
import { isDnsLabel } from "#addr/name";
import { Fault } from "#fault/fault";

/** A machine of the lab: a network namespace and a mount namespace, kept under names of their own. */
export interface LabNode {
  readonly name: string;
  readonly role: "server" | "agent";
  /** IPv4 first. */
  readonly ips: readonly [Ip, Ip];
  /** Where its namespaces are kept. */
  readonly netns: string;
  readonly mountNamespace: string;
  /** What it sees as `/run`, `/var/lib`, `/etc` and `/var/log` are folders in here. */
  readonly dir: string;
  readonly logFile: string;
}

export interface LabLayout {
  readonly name: string;
  /** Everything the lab keeps on disk. */
  readonly dir: string;
  /** Where namespaces are kept mounted; a mount of its own. */
  readonly pins: string;
  /** Below each mount of cgroups: everything its nodes put there is in it. */
  readonly cgroup: string;
  /** The namespace of the switch that the nodes' cables lead to. */
  readonly switchNetns: string;
  readonly gateways: readonly [Ip, Ip];
  readonly nodes: readonly LabNode[];
}

export interface LabRoots {
  readonly state: string;
  readonly run: string;
}

export const LAB_ROOTS: LabRoots = { state: "/var/lib/twill", run: "/run/twill" };

/** Nobody outside the lab ever sees these addresses. */
const NETWORKS = [
  { base: parseIp("172.30.0.0"), prefix: 24 },
  { base: parseIp("fd30::"), prefix: 64 },
] as const;
const FIRST_NODE = 11;
export const MOST_NODES = 100;

/** Where everything of a lab is. @throws {Fault} BadLab */
export function layoutOf(name: string, nodes: number, roots: LabRoots = LAB_ROOTS): LabLayout {
  checkName(name);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MOST_NODES) {
    throw new Fault("BadLab", `Cannot make a lab with --nodes ${nodes}: expected 1 to ${MOST_NODES}`);
  }
  const dir = join(roots.state, name);
  const pins = join(roots.run, name);
  return {
    name,
    dir,
    pins,
    cgroup: cgroupOf(name),
    switchNetns: join(pins, "switch.net"),
    gateways: [addToIp(NETWORKS[0].base, 1), addToIp(NETWORKS[1].base, 1)],
    nodes: Array.from({ length: nodes }, (_, i) => nodeOf({ name, dir, pins }, i)),
  };
}

/** Where cgroups of a lab are. */
export function cgroupOf(name: string): string {
  return `/twill-${name}`;
}

/** An interface address in the lab's network. */
export function onNetwork(ip: Ip): IpPrefix {
  return ipPrefixOf(ip, ip.includes(":") ? NETWORKS[1].prefix : NETWORKS[0].prefix);
}

export function checkName(name: string): void {
  if (isDnsLabel(name) && name.length <= 30) return;
  throw new Fault(
    "BadLab",
    `Cannot call a lab ${JSON.stringify(name)} (--name): expected at most 30 lower-case letters, digits and dashes`,
  );
}

function nodeOf(lab: { name: string; dir: string; pins: string }, index: number): LabNode {
  const role = index === 0 ? "server" : "agent";
  const name = index === 0 ? `${lab.name}-server` : `${lab.name}-agent-${index}`;
  const dir = join(lab.dir, "nodes", name);
  return {
    name,
    role,
    ips: [addToIp(NETWORKS[0].base, FIRST_NODE + index), addToIp(NETWORKS[1].base, FIRST_NODE + index)],
    netns: join(lab.pins, `${name}.net`),
    mountNamespace: join(lab.pins, `${name}.mnt`),
    dir,
    logFile: join(dir, "twill.log"),
  };
}
