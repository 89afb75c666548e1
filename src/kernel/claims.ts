/** All that Twill owns in a node's kernel, each with its reason. Nothing outside this list is ever changed or removed. */
export const CLAIMS = {
  /** Who made a route: 84 is "T", free in iproute2's rt_protos, so our routes are found again after a restart and no
   *  other daemon's are touched. */
  routeProtocol: 84,
  /** Routes live in `main`, where K3s's users and other tools look for them. */
  routeTable: 254,

  marks: {
    /** Masquerade on the way out: kube-proxy's bit 14, which other network tools therefore leave alone. */
    masquerade: 0x4000,
    /** A pod of this node asks for a port of this node: its reply must come back this way. The bit of the CNI portmap
     *  plugin. */
    hostPort: 0x2000,
    /** Bit 31: while a first packet chooses its endpoint under session affinity, the rest of its mark is ours too
     *  (`service/sticky-mark.ts`). It is cleared before the packet leaves the choosing chains. */
    choosing: 0x8000_0000,
  },

  /** nftables tables, one per room so that each replaces its own whole. Deleting them undoes everything. */
  tables: {
    /** Service routing; in `ip` and `ip6`, because its maps are typed by family. */
    service: "twill-service",
    /** Masquerading and the tunnel's guard; in `inet`. */
    fabric: "twill-fabric",
    /** Ports of the node that lead to a pod; in `inet`. */
    hostPorts: "twill-hostports",
    /** Keeps addresses of 127.0.0.0/8 this node's own where node ports on loopback make the kernel route them; in `ip`. */
    loopback: "twill-loopback",
  },

  devices: {
    /** Bridge of the pods, and the two tunnels: flannel's and K3s's names, which their users' tools know. */
    bridge: "cni0",
    vxlan: { 4: "flannel.1", 6: "flannel-v6.1" },
    /** And the tunnels of WireGuard; the first carries both families unless each has its own. */
    wireguard: { 4: "flannel-wg", 6: "flannel-wg-v6" },
    /** Host ends of pods' cables start like this, as those of the CNI bridge plugin do. */
    vethPrefix: "veth",
    /** What pods send passes such a device where it is paced; not the bandwidth plugin's `bwp`, so that neither takes the
     *  other's away. */
    pacerPrefix: "twbw",
  },

  /** Links that are to go together are put into this group, "tw", which nothing else is ever in. */
  dyingLinks: 0x7477,

  vxlan: {
    /** Flannel's network number; peers must agree. */
    vni: 1,
    /** Linux's historic VXLAN port, which flannel uses and K3s documents; not IANA's 4789. */
    port: 8472,
  },

  /** WireGuard's UDP ports, by the family they run over: flannel's, which K3s documents. */
  wireguard: { ports: { 4: 51_820, 6: 51_821 } },

  /** Where named network namespaces are mounted, so that `ip netns` lists them. */
  netnsDir: "/run/netns",
} as const;
