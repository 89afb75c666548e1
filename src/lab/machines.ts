/** The lab's machines: a switch namespace with a bridge, and for each node a network namespace with one cable to it and a
 *  mount namespace with its own `/run`, `/var/lib`, `/var/log` and `/etc`. The host's network is never touched. */
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseCidr } from "#addr/cidr";
import type { Kernel, NetKernel } from "#kernel/kernel";
import {
  createMountNamespace,
  deletePin,
  isMountPoint,
  makePrivate,
  unmountPrivate,
} from "#kernel/mount-namespace";
import { type LabLayout, type LabNode, onNetwork } from "./layout.ts";

const BRIDGE = "switch";
/** Folders of `/etc` that are a node's own; the rest is the host's, by links. */
const OWN_ETC = ["cni", "rancher", "resolv.conf", "hosts", "hostname", "containers"];
const HOST_ETC = "/run/host-etc";
/** CNI plugins are a node's own; the rest of `/opt` is the host's, by links. */
const OWN_OPT = ["cni"];
const HOST_OPT = "/run/host-opt";

/** Whether the lab's namespaces stand (they do not after a reboot, or after `down`). */
export function isStanding(layout: LabLayout): boolean {
  return isMountPoint(layout.pins);
}

export function createSwitch(kernel: Kernel, layout: LabLayout): void {
  makePrivate(layout.pins);
  using ns = kernel.createNetns(layout.switchNetns);
  using inside = kernel.openIn(ns);
  const bridge = inside.netlink.addLink({ kind: "bridge", name: BRIDGE, isUp: true });
  for (const ip of layout.gateways) inside.netlink.addAddress(bridge.index, onNetwork(ip), { noDad: true });
  // A gateway that says "unreachable" at once: names and addresses outside fail fast instead of timing out.
  inside.sysctl.write("net.ipv4.ip_forward", 1);
  inside.sysctl.write("net.ipv6.conf.all.forwarding", 1);
}

export function createMachine(kernel: Kernel, layout: LabLayout, node: LabNode): void {
  createFolders(node);
  using switchNs = kernel.openNetns(layout.switchNetns);
  using ns = kernel.createNetns(node.netns);
  using switching = kernel.openIn(switchNs);
  using inside = kernel.openIn(ns);
  const bridge = switching.netlink.findLink(BRIDGE);
  if (!bridge) throw new Error("broken invariant: the switch has no bridge");
  const port = `port${layout.nodes.indexOf(node)}`;
  const peer = { name: "eth0", netns: ns };
  switching.netlink.addLink({ kind: "veth", name: port, master: bridge.index, isUp: true, peer });
  cable(inside, layout, node);
  createMountNamespace(node.mountNamespace, bindsOf(node));
}

/** Takes namespaces and files away; absent is success. The processes inside must be gone. */
export function deleteMachines(kernel: Kernel, layout: { pins: string; dir: string }): void {
  for (const name of namesIn(layout.pins)) {
    if (name.endsWith(".mnt")) deletePin(join(layout.pins, name));
    else kernel.deleteNetns(join(layout.pins, name));
  }
  unmountPrivate(layout.pins);
  rmSync(layout.pins, { recursive: true, force: true });
  rmSync(layout.dir, { recursive: true, force: true });
}

function cable(inside: NetKernel, layout: LabLayout, node: LabNode): void {
  const eth0 = inside.netlink.findLink("eth0");
  if (!eth0) throw new Error(`broken invariant: ${node.name} has no eth0`);
  inside.netlink.changeLink(eth0.index, { isUp: true });
  for (const ip of node.ips) inside.netlink.addAddress(eth0.index, onNetwork(ip), { noDad: true });
  for (const via of layout.gateways) {
    const to = parseCidr(via.includes(":") ? "::/0" : "0.0.0.0/0");
    inside.netlink.replaceRoute({ to, via, link: eth0.index });
  }
}

function createFolders(node: LabNode): void {
  for (const name of [
    "run/netns",
    "run/host-etc",
    "run/host-opt",
    "var-lib",
    "var-log/pods",
    "etc/cni/net.d",
    "etc/rancher/node",
    "opt/cni/bin",
  ]) {
    mkdirSync(join(node.dir, name), { recursive: true });
  }
  const etc = join(node.dir, "etc");
  linkAll({ from: "/etc", seenAt: HOST_ETC, into: etc, except: OWN_ETC });
  linkAll({ from: "/opt", seenAt: HOST_OPT, into: join(node.dir, "opt"), except: OWN_OPT });
  writeFileSync(join(etc, "hostname"), `${node.name}\n`);
  writeFileSync(
    join(etc, "hosts"),
    `127.0.0.1 localhost\n::1 localhost\n${node.ips.map((ip) => `${ip} ${node.name}\n`).join("")}`,
  );
  // Nothing outside can be asked; the gateway answers "unreachable" at once.
  writeFileSync(join(etc, "resolv.conf"), "nameserver 203.0.113.53\n");
}

function linkAll(folder: {
  readonly from: string;
  readonly seenAt: string;
  readonly into: string;
  readonly except: readonly string[];
}): void {
  for (const name of namesIn(folder.from)) {
    if (!folder.except.includes(name)) symlinkSync(join(folder.seenAt, name), join(folder.into, name));
  }
}

function bindsOf(node: LabNode) {
  const opt = existsSync("/opt")
    ? [
        { source: "/opt", target: join(node.dir, "run/host-opt") },
        { source: join(node.dir, "opt"), target: "/opt" },
      ]
    : [];
  return [
    { source: "/etc", target: join(node.dir, "run/host-etc") },
    ...opt,
    { source: join(node.dir, "etc"), target: "/etc" },
    { source: join(node.dir, "var-log"), target: "/var/log" },
    { source: join(node.dir, "run"), target: "/run" },
    // Last, because the folders above lie below it.
    { source: join(node.dir, "var-lib"), target: "/var/lib" },
  ];
}

function namesIn(dir: string): readonly string[] {
  try {
    return lstatSync(dir).isDirectory() ? readdirSync(dir) : [];
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
