/** What a machine must have before a lab is made on it: each missing thing is named, with what it is for. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { parseIp } from "#addr/ip";
import { explain, Fault, isFault } from "#fault/fault";
import type { Kernel, NetKernel, Netns } from "#kernel/kernel";
import { flagValues } from "./launch.ts";

interface Probe {
  readonly feature: string;
  readonly purpose: string;
  readonly fix: string;
  /** `inside` is a namespace that is thrown away; what is loaded for `machine` stays. */
  readonly run: (inside: NetKernel, machine: Kernel) => void;
}

const PROBES: readonly Probe[] = [
  {
    feature: "bridges",
    purpose: "connect the pods of a node",
    fix: "modprobe bridge",
    run: ({ netlink }) => void netlink.addLink({ kind: "bridge", name: "probe0", isUp: true }),
  },
  {
    feature: "veth pairs",
    purpose: "give pods their interface",
    fix: "modprobe veth",
    run: ({ netlink }) => void netlink.addLink({ kind: "veth", name: "probe1", peer: { name: "probe2" } }),
  },
  {
    feature: "vxlan",
    purpose: "carry pods' traffic between nodes",
    fix: "modprobe vxlan (on Raspberry Pi: apt-get install linux-modules-extra-raspi)",
    run: ({ netlink }) => {
      const underlay = netlink.findLink("lo")?.index ?? 1;
      const vxlan = { vni: 1, port: 8472, underlay, local: parseIp("127.0.0.1"), learning: false };
      netlink.addLink({ kind: "vxlan", name: "probe3", vxlan });
    },
  },
  {
    feature: "nftables with NAT, maps and numgen",
    purpose: "route services and masquerade pods",
    fix: "modprobe nf_tables nft_chain_nat nft_numgen nft_masq nft_fib_inet nft_reject_inet; apt-get install libnftables1",
    run: ({ nft }) => nft.run(PROBE_PROGRAM),
  },
  {
    feature: "connection tracking",
    purpose: "keep connections to services where they began",
    fix: "modprobe nf_conntrack nf_conntrack_netlink",
    run: ({ conntrack }) => void conntrack.listFlows({ family: 4, protocol: 17 }),
  },
  {
    feature: "IPv6",
    purpose: "give every machine an address of each family",
    fix: "boot without ipv6.disable=1",
    run: ({ sysctl }) => sysctl.write("net.ipv6.conf.all.forwarding", 1),
  },
  {
    feature: "netfilter for bridged packets",
    purpose: "let pods reach services whose endpoint is on their own node",
    fix: "modprobe br_netfilter",
    run: (inside, machine) => {
      if (!filtersBridged(inside)) loadBridgeFilter(machine);
    },
  },
];

const PROBE_PROGRAM = `table ip twill-probe {
  map m { type ipv4_addr . inet_proto . inet_service . mark : ipv4_addr . inet_service ; }
  chain pre {
    type nat hook prerouting priority dstnat;
    fib daddr type local meta mark set numgen random mod 2
    meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport . meta mark map @m
  }
  chain post { type nat hook postrouting priority srcnat; meta mark 0x4000 masquerade fully-random; }
  chain in { type filter hook input priority 0; ct state new meta mark 1 reject; }
}`;

const BRIDGE_SETTINGS = ["iptables", "ip6tables", "arptables"].map(
  (name) => `net/bridge/bridge-nf-call-${name}`,
);

function filtersBridged({ sysctl }: NetKernel): boolean {
  try {
    return BRIDGE_SETTINGS.every((name) => sysctl.read(name) !== "");
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return false;
    throw error;
  }
}

/** Loading it turns the filter on for every bridge there is. The host's own stay as they were; a lab's nodes turn theirs on. */
function loadBridgeFilter(machine: Kernel): void {
  machine.loadModule("br_netfilter");
  for (const name of BRIDGE_SETTINGS) machine.sysctl.write(name, 0);
}

/** Looks in a namespace that stands in the folder `pins` for that long. @throws {Fault} MissingFeature naming everything
 *  that is missing at once */
export function checkMachine(kernel: Kernel, pins: string): void {
  const path = join(pins, "probe.net");
  using ns = createProbe(kernel, path);
  using inside = kernel.openIn(ns);
  try {
    const missing = PROBES.flatMap((probe) => failureOf(probe, inside, kernel));
    if (missing.length === 0) return;
    throw new Fault(
      "MissingFeature",
      `This machine lacks what a cluster needs:\n${missing.map((line) => `  ${line}`).join("\n")}`,
    );
  } finally {
    kernel.deleteNetns(path);
  }
}

function createProbe(kernel: Kernel, path: string): Netns {
  try {
    return kernel.createNetns(path);
  } catch (error) {
    throw new Fault(
      "MissingFeature",
      `This machine lacks network namespaces (to make machines of): ${explain(error)}. Try: a kernel with CONFIG_NET_NS; in a container, one started with --privileged`,
    );
  }
}

/** @throws {Fault} NotRoot */
export function checkRoot(command: string): void {
  if (process.getuid?.() === 0) return;
  throw new Fault(
    "NotRoot",
    `Cannot run ${command}: it makes network namespaces, which needs root; run it with sudo`,
  );
}

/** Asked before anything is made, for a cluster whose nodes never get ready is no answer. @throws {Fault} MissingFeature */
export function checkBackend({ wireguard }: Pick<Kernel, "wireguard">, serverFlags: readonly string[]): void {
  const backend = flagValues(serverFlags, "flannel-backend").at(-1);
  if (backend !== "wireguard-native" || wireguard.carrier() !== "none") return;
  throw new Fault(
    "MissingFeature",
    "This machine lacks what --flannel-backend=wireguard-native needs: WireGuard in the kernel, or wireguard-go and /dev/net/tun. Try: modprobe wireguard, or apt-get install wireguard-go",
  );
}

/** The nodes see `/run`, `/var/lib`, `/var/log` and `/etc` of their own, so the program must not live there. */
export function checkPlace(dir: string): void {
  const hidden = ["/run/", "/var/lib/", "/var/log/", "/etc/"].find((prefix) => `${dir}/`.startsWith(prefix));
  if (hidden)
    throw new Fault(
      "BadPlace",
      `Cannot run a lab from ${dir}: nodes have their own ${hidden}; clone Twill elsewhere, such as /opt/twill`,
    );
  accessSync(dir, constants.R_OK);
}

function failureOf(probe: Probe, inside: NetKernel, machine: Kernel): readonly string[] {
  try {
    probe.run(inside, machine);
    return [];
  } catch (error) {
    return [`${probe.feature} (to ${probe.purpose}): ${explain(error)}. Try: ${probe.fix}`];
  }
}
