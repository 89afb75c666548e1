import type { IpPrefix } from "#addr/cidr";
import { isFault } from "#fault/fault";
import type { Kernel, Link, NetKernel, Netlink } from "#kernel/kernel";
import { pacerName, pacesOf } from "./bandwidth.ts";
import type { PodBridge } from "./bridge.ts";
import { hostVethName, type PodRoute } from "./cable.ts";
import type { Bandwidth, CheckRequest } from "./model.ts";
import { readPortMappings } from "./port-claims.ts";
import type { PortEntry } from "./port-program.ts";
import { untuned } from "./tuning.ts";

/** What is written down about a sandbox, and where to look. */
export interface SandboxRecord {
  readonly kernel: Kernel;
  readonly bridge: PodBridge;
  readonly reserved: readonly IpPrefix[];
  /** Another plugin made the cable when not. */
  readonly hasCable: boolean;
  readonly claimed: readonly PortEntry[];
  /** Host ports of the claim that the kernel does not have. */
  readonly missingPorts: readonly number[];
  readonly routes: readonly PodRoute[];
}

/** What of a sandbox is not as it was asked for and as it is written down, a sentence each. */
export function checkSandbox(request: CheckRequest, record: SandboxRecord): readonly string[] {
  const { kernel } = record;
  using opened = new DisposableStack();
  const netns = typeof request.netns === "string" ? openOrSay(kernel, request.netns, opened) : request.netns;
  if (typeof netns === "string") return [netns];
  const inside = opened.use(kernel.openIn(netns));
  const inner = inside.netlink.findLink(request.ifname);
  if (!inner) return [`the sandbox has no ${request.ifname}`];
  const outer = outerOf(kernel.netlink, inner, request, record);
  return [
    ...(record.hasCable ? cableProblems(request, record, inner, outer) : []),
    ...(record.hasCable ? addressProblems(request, record, inside, inner) : []),
    ...portProblems(request, record),
    ...paceProblems(kernel.netlink, request, outer),
    ...untuned(inside, request.ifname, request.tuning ?? {}),
  ];
}

function openOrSay(kernel: Kernel, path: string, opened: DisposableStack) {
  try {
    return opened.use(kernel.openNetns(path));
  } catch (error) {
    if (isFault(error)) return error.message;
    throw error;
  }
}

function outerOf(netlink: Netlink, inner: Link, key: CheckRequest, record: SandboxRecord): Link | undefined {
  if (record.hasCable) return netlink.findLink(hostVethName(key));
  return netlink.listLinks().find(({ kind, index }) => kind === "veth" && index === inner.parent);
}

function cableProblems(
  { ifname, expected, mac }: CheckRequest,
  { bridge }: SandboxRecord,
  inner: Link,
  outer: Link | undefined,
): readonly string[] {
  const wantedMac = mac ?? expected.mac;
  return claims([
    [bridge.isIntact(), "the pods' bridge is missing or down"],
    [outer !== undefined && outer.index === inner.parent, `the node has no other end of ${ifname}`],
    [outer?.master === bridge.index, `the cable of ${ifname} is not plugged into the pods' bridge`],
    [outer?.isUp === true, `the node's end of ${ifname} is down`],
    [inner.isUp, `${ifname} is down`],
    [wantedMac === undefined || inner.mac === wantedMac, `${ifname} has MAC ${inner.mac}, not ${wantedMac}`],
  ]);
}

function addressProblems(
  { ifname, expected }: CheckRequest,
  { reserved, routes }: SandboxRecord,
  { netlink }: NetKernel,
  { index }: Link,
): readonly string[] {
  const standing = netlink.listAddresses().filter(({ link }) => link === index);
  const wanted = new Set<string>([...expected.ips, ...reserved]);
  const own = ([4, 6] as const)
    .flatMap((family) => netlink.listRoutes(family))
    .filter(({ link }) => link === index);
  return claims([
    [reserved.length > 0, `nothing is written down for ${ifname}`],
    ...expected.ips.map(
      (ip): Claim => [reserved.some((each) => each === ip), `${ip} is not written down for ${ifname}`],
    ),
    ...[...wanted].map(
      (ip): Claim => [standing.some(({ address }) => address === ip), `${ifname} has no ${ip}`],
    ),
    ...routes.map(
      ({ to, via }): Claim => [
        own.some((route) => route.to === to && route.via === via),
        `${ifname} has no route to ${to} via ${via}`,
      ],
    ),
  ]);
}

function portProblems(
  request: CheckRequest,
  { reserved, claimed, missingPorts }: SandboxRecord,
): readonly string[] {
  const wanted = readPortMappings(request.portMappings ?? [], reserved);
  return claims([
    ...wanted.map(
      (entry): Claim => [
        claimed.some((each) => JSON.stringify(each) === JSON.stringify(entry)),
        `host port ${entry.hostPort} is not written down`,
      ],
    ),
    ...missingPorts.map((port): Claim => [false, `host port ${port} does not lead to the pod`]),
  ]);
}

function paceProblems(netlink: Netlink, request: CheckRequest, outer: Link | undefined): readonly string[] {
  const { ingress, egress } = pacesOf(request.bandwidth ?? ({} satisfies Bandwidth));
  if (!ingress && !egress) return [];
  const pacer = netlink.findLink(pacerName(request));
  const rateOf = (link: Link | undefined) =>
    netlink.listPaces().find((pace) => pace.link === link?.index)?.bytesPerSecond;
  return claims([
    [!ingress || rateOf(outer) === ingress.bytesPerSecond, "what the pod receives is not limited as asked"],
    [!egress || rateOf(pacer) === egress.bytesPerSecond, "what the pod sends is not limited as asked"],
  ]);
}

type Claim = readonly [holds: boolean, otherwise: string];

function claims(all: readonly Claim[]): readonly string[] {
  return all.flatMap(([holds, otherwise]) => (holds ? [] : [otherwise]));
}
