import type { Metrics } from "#telemetry/metrics";
import type { FabricStatus, PeerStatus, Traffic } from "./model.ts";

type Labels = Readonly<Record<string, string>>;
type Row = readonly [Labels, number];

/** Declares what the fabric measures; values are looked at when somebody asks. No label but a node's name, its family, and words
 *  from short lists: as many series as there are nodes. */
export function declareMetrics(metrics: Metrics, status: () => FabricStatus): void {
  const gauge = (name: string, help: string, rows: (status: FabricStatus) => readonly Row[]) =>
    metrics.ask(`twill_fabric_${name}`, help, { type: "gauge", values: () => rows(status()) });
  const counter = (name: string, help: string, rows: (status: FabricStatus) => readonly Row[]) =>
    metrics.ask(`twill_fabric_${name}`, help, { type: "counter", values: () => rows(status()) });

  gauge(
    "peers",
    "Families of other nodes, by the way their packets travel and whether they get there.",
    countPeers,
  );
  gauge("silent_nodes", "Nodes that offer no way to their pods.", ({ silent }) => [[{}, silent.length]]);
  gauge("ready", "Whether this node's half of the pod network stands.", ({ waitingFor }) => [
    [{}, waitingFor.length === 0 ? 1 : 0],
  ]);
  gauge("peer_up", "Whether packets for the peer get there: 1 yes, 0 no or not known yet.", ({ peers }) =>
    peers.map((peer) => [labelsOf(peer), peer.state === "ok" ? 1 : 0]),
  );
  counter("peer_received_packets_total", "Tunnel packets that came from the peer.", received("packets"));
  counter("peer_received_bytes_total", "Bytes of tunnel packets that came from the peer.", received("bytes"));
  counter(
    "peer_sent_bytes_total",
    "Bytes that were sent to the peer, as WireGuard counts them.",
    known("sentBytes", 1),
  );
  gauge(
    "peer_handshake_age_seconds",
    "Time since WireGuard last exchanged keys with the peer.",
    known("handshakeSeconds", 1),
  );
  gauge("peer_answer_age_seconds", "Time since the peer last answered a probe.", known("answeredSeconds", 1));
  gauge("peer_round_trip_seconds", "What the last probe of the peer took.", known("roundTripMs", 1000));
  gauge(
    "peer_path_mtu_bytes",
    "The largest packet that was found to get to the peer.",
    known("pathMtuBytes", 1),
  );
  counter(
    "guard_stranger_packets_total",
    "Packets to tunnels' ports from addresses of no node.",
    ({ guard }) => [[{ verdict: guard.state === "on" ? "dropped" : "let-in" }, guard.strangers.packets]],
  );
  counter("guard_stranger_bytes_total", "Bytes of such packets.", ({ guard }) => [
    [{ verdict: guard.state === "on" ? "dropped" : "let-in" }, guard.strangers.bytes],
  ]);
  gauge(
    "guard_strangers",
    "Addresses of no node that sent such packets within the hour; 512 a family at most.",
    ({ guard }) => [[{}, guard.listed.length]],
  );
  counter("rounds_total", "Looks at what is wanted and what stands, by outcome.", ({ rounds }) => [
    [{ outcome: "done" }, rounds.total - rounds.failed],
    [{ outcome: "failed" }, rounds.failed],
  ]);
  counter(
    "repairs_total",
    "Rounds that changed something although no Node had: mostly what something else had taken away.",
    ({ rounds }) => [[{}, rounds.repairs]],
  );
  gauge("last_round_seconds", "What the last round took.", ({ rounds }) =>
    rounds.lastSeconds === null ? [] : [[{}, toMicro(rounds.lastSeconds)]],
  );
  gauge("findings", "Things found wrong with this machine.", ({ findings }) => [[{}, findings.length]]);
}

/** No digits that are none. */
function toMicro(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function labelsOf({ node, family }: PeerStatus): Labels {
  return { node, ip_family: family === 4 ? "IPv4" : "IPv6" };
}

function countPeers({ peers }: FabricStatus): readonly Row[] {
  const counts = new Map<string, { readonly labels: Labels; count: number }>();
  for (const { kind, state } of peers) {
    const labels = { kind: kind ?? "none", state };
    const key = `${labels.kind} ${state}`;
    const entry = counts.get(key) ?? { labels, count: 0 };
    entry.count += 1;
    counts.set(key, entry);
  }
  return [...counts.values()].map(({ labels, count }) => [labels, count]);
}

function received(unit: keyof Traffic) {
  return ({ peers }: FabricStatus): readonly Row[] =>
    peers.flatMap((peer): Row[] => {
      const counted = peer.received;
      return counted === null ? [] : [[labelsOf(peer), counted[unit]]];
    });
}

/** Of the peers of whom it is known. */
function known(
  field: "handshakeSeconds" | "answeredSeconds" | "roundTripMs" | "pathMtuBytes" | "sentBytes",
  perUnit: number,
) {
  return ({ peers }: FabricStatus): readonly Row[] =>
    peers.flatMap((peer): Row[] => {
      const value = peer[field];
      return value === null ? [] : [[labelsOf(peer), toMicro(value / perUnit)]];
    });
}
