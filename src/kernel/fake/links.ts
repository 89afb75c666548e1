import { cidrFamily } from "#addr/cidr";
import { familyOf } from "#addr/ip";
import type { Link, LinkChange, LinkSpec, Netlink, Netns } from "../kernel.ts";
import { connect } from "./addresses.ts";
import { refusal } from "./faults.ts";
import { type FakeLink, type FakeNamespace, macNumber } from "./namespace.ts";

const ETHERNET_MTU = 1500;
const LONGEST_NAME = 15;
/** What a tunnel's own headers take from each packet, and an inner Ethernet header with them. */
const VXLAN_OVERHEAD = { 4: 50, 6: 70 } as const;

type Links = Pick<
  Netlink,
  | "listLinks"
  | "findLink"
  | "addLink"
  | "changeLink"
  | "deleteLink"
  | "deleteLinks"
  | "paceLink"
  | "redirectReceived"
  | "listPaces"
>;

export function fakeLinks(here: FakeNamespace, namespaceOf: (ns: Netns) => FakeNamespace): Links {
  return {
    listLinks: () => [...here.links.values()].map(linkOf),
    findLink(name) {
      const link = here.findLink(name);
      return link && linkOf(link);
    },
    addLink: (spec) => linkOf(addLink(here, spec, namespaceOf)),
    changeLink: (index, change) => changeLink(here, index, change, namespaceOf),
    deleteLink: (index) => deleteLink(here, index),
    deleteLinks(indexes) {
      for (const index of indexes) deleteLink(here, index);
    },
    paceLink(index, pace) {
      here.link(index, `pace link ${index}`).pace = pace;
    },
    redirectReceived(index, to) {
      const op = `redirect what link ${index} receives`;
      const link = here.link(index, op);
      if (link.receiver !== undefined) throw refusal(op, "EEXIST");
      link.receiver = here.link(to, op).index;
    },
    listPaces: () =>
      [...here.links.values()].flatMap(({ index, pace }) => (pace ? [{ link: index, ...pace }] : [])),
  };
}

function addLink(here: FakeNamespace, spec: LinkSpec, namespaceOf: (ns: Netns) => FakeNamespace): FakeLink {
  const op = `add ${spec.kind} link ${spec.name}`;
  claimName(here, spec.name, op);
  if (spec.master !== undefined && !here.links.has(spec.master)) throw refusal(op, "EINVAL");
  const link = here.adopt({ name: spec.name, kind: spec.kind, ...detailsOf(here, spec, op) });
  if (spec.kind === "veth") attachPeer(here, link, spec.peer, namespaceOf, op);
  if (spec.master !== undefined) link.master = spec.master;
  if (spec.isUp) link.isUp = true;
  return link;
}

function detailsOf(here: FakeNamespace, spec: LinkSpec, op: string) {
  const mac = spec.mac ?? freshMac();
  if (spec.kind !== "vxlan") return { mac, mtuBytes: spec.mtuBytes ?? ETHERNET_MTU };
  const { vxlan } = spec;
  const family = familyOf(vxlan.local);
  const underlay = vxlan.underlay === 0 ? undefined : here.link(vxlan.underlay, op);
  for (const { vxlan: other } of here.links.values())
    if (other?.vni === vxlan.vni && other.port === vxlan.port && familyOf(other.local) === family)
      throw refusal(op, "EEXIST", "A VXLAN device with the specified VNI already exists");
  const largest = (underlay?.mtuBytes ?? ETHERNET_MTU + VXLAN_OVERHEAD[family]) - VXLAN_OVERHEAD[family];
  return { mac, mtuBytes: Math.min(spec.mtuBytes ?? largest, largest), parent: underlay?.index, vxlan };
}

function attachPeer(
  here: FakeNamespace,
  link: FakeLink,
  spec: Extract<LinkSpec, { kind: "veth" }>["peer"],
  namespaceOf: (ns: Netns) => FakeNamespace,
  op: string,
): void {
  const there = spec.netns ? namespaceOf(spec.netns) : here;
  if (there.findLink(spec.name)) {
    here.links.delete(link.index);
    throw refusal(op, "EEXIST");
  }
  const peer = there.adopt({
    name: spec.name,
    kind: "veth",
    mac: spec.mac ?? freshMac(),
    mtuBytes: spec.mtuBytes ?? ETHERNET_MTU,
    parent: link.index,
    peer: { namespace: here, link },
  });
  link.peer = { namespace: there, link: peer };
  link.parent = peer.index;
}

function changeLink(
  here: FakeNamespace,
  index: number,
  change: LinkChange,
  namespaceOf: (ns: Netns) => FakeNamespace,
): void {
  const op = `change link ${index}`;
  const link = here.link(index, op);
  if (change.name !== undefined && change.name !== link.name) claimName(here, change.name, op);
  if (change.master && !here.links.has(change.master)) throw refusal(op, "EINVAL");
  if (change.hairpin !== undefined && (change.master ?? link.master ?? 0) === 0)
    throw refusal(op, "EOPNOTSUPP");
  link.name = change.name ?? link.name;
  link.mtuBytes = change.mtuBytes ?? link.mtuBytes;
  link.mac = change.mac ?? link.mac;
  link.hairpin = change.hairpin ?? link.hairpin;
  link.isPromiscuous = change.isPromiscuous ?? link.isPromiscuous;
  link.isAllMulticast = change.isAllMulticast ?? link.isAllMulticast;
  link.sendQueueLength = change.sendQueueLength ?? link.sendQueueLength;
  if (change.vxlan && link.vxlan) {
    link.vxlan = { ...link.vxlan, ...change.vxlan };
    link.parent = change.vxlan.underlay ?? link.parent;
  }
  if (change.master !== undefined) link.master = change.master === 0 ? undefined : change.master;
  if (change.isUp !== undefined && change.isUp !== link.isUp) setUp(here, link, change.isUp);
  if (change.netns) move(here, link, namespaceOf(change.netns), op);
}

/** Going down loses routes, neighbours and IPv6 addresses; coming up brings back only the connected routes. */
function setUp(here: FakeNamespace, link: FakeLink, isUp: boolean): void {
  link.isUp = isUp;
  if (!isUp) here.purge(link.index, { addresses: ({ address }) => cidrFamily(address) === 6, fdb: false });
  else for (const address of here.addresses) if (address.link === link.index) connect(here, address);
}

function move(here: FakeNamespace, link: FakeLink, there: FakeNamespace, op: string): void {
  if (there.findLink(link.name)) throw refusal(op, "EEXIST");
  forget(here, link);
  const { index: _, ...facts } = link;
  const moved = there.adopt({ ...facts, isUp: false, master: undefined });
  if (!moved.peer) return;
  moved.peer.link.peer = { namespace: there, link: moved };
  moved.peer.link.parent = moved.index;
}

function deleteLink(here: FakeNamespace, index: number): void {
  const link = here.links.get(index);
  if (!link) return;
  if (link.kind === "") throw refusal(`delete link ${index}`, "EOPNOTSUPP");
  forget(here, link);
  if (link.peer) forget(link.peer.namespace, link.peer.link);
}

/** Takes the link out, with all that stood on it: its ports' membership, and tunnels that ran over it. */
function forget(here: FakeNamespace, link: FakeLink): void {
  here.links.delete(link.index);
  here.purge(link.index, { addresses: () => true, fdb: true });
  for (const other of [...here.links.values()]) {
    if (other.master === link.index) other.master = undefined;
    if (other.vxlan?.underlay === link.index) forget(here, other);
  }
}

function claimName(here: FakeNamespace, name: string, op: string): void {
  if (name.length > LONGEST_NAME) throw refusal(op, "ERANGE", "Attribute failed policy validation");
  if (name === "") throw refusal(op, "EINVAL");
  if (here.findLink(name)) throw refusal(op, "EEXIST");
}

let macs = 0;
function freshMac() {
  return macNumber(++macs);
}

function linkOf(fake: FakeLink): Link {
  const { hairpin: _, fillsChecksums: __, peer: ___, pace: ____, receiver: _____, ...link } = fake;
  return link;
}
