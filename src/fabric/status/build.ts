import { familyOf, formatEndpoint, type Ip, isIp, parseIp } from "#addr/ip";
import type { GuardCounters } from "../guard-counters.ts";
import type { FabricKind, FabricState, Lease, NodeView, Path, Peer, Program } from "../model.ts";
import type { Refusal } from "../peers.ts";
import { type PeerHealth, targetKey } from "../probe/model.ts";
import type {
  DeviceStatus,
  FabricStatus,
  Finding,
  GuardStatus,
  PeerStatus,
  RoundStatus,
  SilentNode,
  Traffic,
} from "./model.ts";

/** A WireGuard device's word on a peer. */
export interface WireguardNews {
  /** Where it was last heard from. */
  readonly endpoint: string | undefined;
  readonly handshakeMs?: number | undefined;
  readonly received: number;
  readonly sent: number;
}

export interface StatusInput {
  /** Since the epoch. */
  readonly nowMs: number;
  readonly node: string;
  readonly backend: FabricKind;
  readonly isGuarded: boolean;
  readonly waitingFor: readonly string[];
  readonly findings: readonly Finding[];
  readonly rounds: RoundStatus;
  /** Absent before this node has its subnet. */
  readonly standing?: StandingInput | undefined;
}

export interface StandingInput {
  readonly lease: Lease;
  readonly mtuBytes: number | undefined;
  readonly devices: readonly DeviceStatus[];
  readonly program: Program | undefined;
  readonly ports: readonly number[];
  readonly routes: FabricState["routes"];
  readonly peers: readonly Peer[];
  readonly paths: readonly Path[];
  readonly unreachable: readonly { readonly peer: Peer; readonly why: string }[];
  readonly refusals: readonly Refusal[];
  /** All nodes, this one too. */
  readonly nodes: readonly Pick<NodeView, "name" | "addresses">[];
  readonly counters: GuardCounters | undefined;
  /** What asking the peers has found. */
  readonly health: readonly PeerHealth[];
  /** By `sessionKey`. */
  readonly wireguard: ReadonlyMap<string, WireguardNews>;
}

/** A session that is older has ended, whatever the device says: keys are exchanged every two minutes while packets flow.
 *  @see the protocol's REJECT_AFTER_TIME */
const HANDSHAKE_HOLDS_MS = 180_000;

export function sessionKey(device: string, publicKey: string): string {
  return `${device} ${publicKey}`;
}

/** Everything a person asks of the fabric of one node, from what its last round knew. */
export function buildStatus(input: StatusInput): FabricStatus {
  const { standing } = input;
  return {
    node: input.node,
    at: new Date(input.nowMs).toISOString(),
    backend: input.backend,
    podCidrs: standing ? Object.values(standing.lease.podCidrs) : [],
    mtuBytes: standing?.mtuBytes ?? null,
    waitingFor: input.waitingFor,
    devices: standing?.devices ?? [],
    guard: guardStatus(input),
    rounds: input.rounds,
    findings: input.findings,
    peers: standing ? peerRows(standing, input.nowMs) : [],
    silent: standing ? silentNodes(standing) : [],
  };
}

function guardStatus({ isGuarded, standing }: StatusInput): GuardStatus {
  const counters = standing?.program && standing.counters;
  if (!counters) return { state: "absent", ports: [], strangers: NO_TRAFFIC, listed: [], isFull: false };
  const { total, listed, isFull } = counters.strangers;
  const owners = ownersOf(standing.nodes);
  return {
    state: isGuarded ? "on" : "off",
    ports: [...new Set(standing.ports)],
    strangers: total,
    listed: listed.map(({ ip, packets, bytes, lastMs }) => ({
      ip,
      packets,
      bytes,
      secondsAgo: Math.round(lastMs / 1000),
      node: owners.get(ip) ?? null,
    })),
    isFull,
  };
}

const NO_TRAFFIC: Traffic = { packets: 0, bytes: 0 };

function ownersOf(nodes: StandingInput["nodes"]): ReadonlyMap<Ip, string> {
  return new Map(
    nodes.flatMap(({ name, addresses }) =>
      addresses.filter(isIp).map((text) => [parseIp(text), name] as const),
    ),
  );
}

function peerRows(standing: StandingInput, nowMs: number): readonly PeerStatus[] {
  const paths = new Map(standing.paths.map((path) => [targetKey(path), path]));
  const whys = new Map(standing.unreachable.map(({ peer, why }) => [targetKey(peer), why] as const));
  const health = new Map(standing.health.map((row) => [targetKey(row), row]));
  const addresses = new Map(standing.nodes.map((node) => [node.name, node.addresses]));
  const rows = standing.peers.map((peer) => {
    const key = targetKey(peer);
    const context = {
      ...standing,
      nowMs,
      why: whys.get(key),
      news: health.get(key),
      addresses: addresses.get(peer.node) ?? [],
    };
    return peerRow(peer, paths.get(key), context);
  });
  return rows.toSorted((a, b) => (a.node === b.node ? a.family - b.family : a.node < b.node ? -1 : 1));
}

/** Nodes that are no peers. */
function silentNodes({ nodes, peers, lease, refusals }: StandingInput): readonly SilentNode[] {
  const known = new Set([lease.node, ...peers.map(({ node }) => node)]);
  return nodes
    .filter(({ name }) => !known.has(name))
    .map(({ name }) => {
      const problems = refusalsOf(name, refusals);
      return {
        node: name,
        problems: problems.length > 0 ? problems : ["it has announced no way to its pods"],
      };
    })
    .toSorted((a, b) => (a.node < b.node ? -1 : 1));
}

function refusalsOf(node: string, refusals: readonly Refusal[]): readonly string[] {
  return refusals.filter((refusal) => refusal.node === node).map(({ key, problem }) => `${key}: ${problem}`);
}

interface PeerContext extends StandingInput {
  readonly nowMs: number;
  readonly why: string | undefined;
  readonly news: PeerHealth | undefined;
  readonly addresses: readonly string[];
}

function peerRow(peer: Peer, path: Path | undefined, context: PeerContext): PeerStatus {
  const { node, family, podCidr, runs } = peer;
  const { news } = context;
  const way = context.routes.get(podCidr);
  const session =
    path?.kind === "wireguard" && way
      ? context.wireguard.get(sessionKey(way.device, path.end.publicKey))
      : undefined;
  const problems = problemsOf(peer, path, context);
  const age = (ms: number | undefined) =>
    ms === undefined ? null : Math.max(0, (context.nowMs - ms) / 1000);
  return {
    node,
    family,
    runs,
    state: stateOf(path, context, { session, stands: way !== undefined }),
    kind: path?.kind ?? null,
    endpoint: session?.endpoint ?? (path ? endpointOf(path) : null),
    podCidr,
    handshakeSeconds: age(session?.handshakeMs),
    answeredSeconds: age(news?.lastAnswerMs),
    roundTripMs: news?.roundTripUs === undefined ? null : news.roundTripUs / 1000,
    mtuBytes: context.devices.find(({ name }) => name === way?.device)?.mtuBytes ?? null,
    pathMtuBytes: news?.mtuBytes ?? null,
    ...trafficOf(peer, path, context, session),
    problems,
  };
}

function stateOf(
  path: Path | undefined,
  { nowMs, news }: PeerContext,
  { session, stands }: { session: WireguardNews | undefined; stands: boolean },
): PeerStatus["state"] {
  if (path === undefined || news?.reachable === false) return "down";
  if (!stands) return "waiting";
  if (news?.reachable) return "ok";
  if (path.kind === "wireguard") {
    if (session?.handshakeMs === undefined) return "waiting";
    return nowMs - session.handshakeMs > HANDSHAKE_HOLDS_MS ? "down" : "ok";
  }
  return news === undefined ? "ok" : "waiting";
}

function problemsOf({ node, podCidr }: Peer, path: Path | undefined, context: PeerContext): string[] {
  const { why, news, routes, refusals } = context;
  const problems = [
    why,
    path && !routes.has(podCidr) && `there is no route to ${podCidr} yet`,
    path && news?.reachable === false && `it does not answer through ${news.device}`,
    news?.offload === "broken" &&
      `packets through ${news.device} whose checksums were left to the devices did not arrive, so the kernel fills them in`,
  ];
  return [...problems.filter((text) => typeof text === "string"), ...refusalsOf(node, refusals)];
}

function endpointOf(path: Path): string {
  switch (path.kind) {
    case "vxlan":
    case "host-gw":
      return path.end.publicIp;
    case "wireguard": {
      const { publicIp, port } = path.end;
      return port === undefined ? publicIp : formatEndpoint(publicIp, port);
    }
    default:
      return path satisfies never;
  }
}

/** Whichever of its addresses it sends from. */
function trafficOf(
  { ends }: Peer,
  path: Path | undefined,
  { counters, addresses }: PeerContext,
  session: WireguardNews | undefined,
): Pick<PeerStatus, "received" | "sentBytes"> {
  const sentBytes = session?.sent ?? null;
  if (!path || !counters || path.kind === "host-gw") return { received: null, sentBytes };
  const told = Object.values(ends).map(({ publicIp }) => publicIp);
  const own = new Set([...told, ...addresses.filter(isIp).map(parseIp)]);
  const outer = familyOf(path.end.publicIp);
  const received = [...own]
    .filter((ip) => familyOf(ip) === outer)
    .map((ip) => counters.received.get(ip) ?? NO_TRAFFIC)
    .reduce(sum, NO_TRAFFIC);
  // The device knows better, and tells one family from the other where both go to one address.
  return { received: session ? { ...received, bytes: session.received } : received, sentBytes };
}

function sum(a: Traffic, b: Traffic): Traffic {
  return { packets: a.packets + b.packets, bytes: a.bytes + b.bytes };
}
