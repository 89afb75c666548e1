import { printable } from "#telemetry/printable";
import type {
  DeviceStatus,
  FabricStatus,
  GuardStatus,
  PeerStatus,
  StrangerStatus,
  Traffic,
} from "./model.ts";

const MOST_STRANGERS = 5;

/** Whether there is nothing that keeps pods from any other node's. */
export function isFine({ waitingFor, peers }: FabricStatus): boolean {
  return waitingFor.length === 0 && peers.every(({ state }) => state === "ok");
}

/** The status as a person reads it: this node's half, then a row for each family of each peer, then what is wrong. */
export function printStatus(status: FabricStatus): string {
  const head = [
    [
      `node ${status.node}`,
      `backend ${status.backend}`,
      `pods ${status.podCidrs.join(", ") || "-"}`,
      `MTU ${status.mtuBytes ?? "-"}`,
    ].join("   "),
    ...status.waitingFor.map((why) => `waiting: ${why}`),
    ...status.devices.map(deviceLine),
    ...guardLines(status.guard),
    ...roundLines(status),
    ...status.findings.flatMap(({ summary, fix }) => [
      `note: ${summary}`,
      ...fix.map((command) => `  ${command}`),
    ]),
  ];
  const problems = [
    ...status.peers.flatMap(({ node, family, problems }) =>
      problems.map((problem) => `${node} (IPv${family}): ${problem}`),
    ),
    ...status.silent.flatMap(({ node, problems }) => problems.map((problem) => `${node}: ${problem}`)),
  ];
  return [
    ...head,
    "",
    ...(status.peers.length > 0 ? table([HEADINGS, ...status.peers.map(peerRow)]) : ["no peers"]),
    ...(problems.length > 0 ? ["", ...new Set(problems)] : []),
    "",
  ]
    .map(printable)
    .join("\n");
}

const HEADINGS = [
  "PEER",
  "IP",
  "STATE",
  "PATH",
  "ENDPOINT",
  "PODS",
  "HEARD",
  "RTT",
  "MTU",
  "RECEIVED",
  "SENT",
];

function peerRow(peer: PeerStatus): readonly string[] {
  const heard = [peer.handshakeSeconds, peer.answeredSeconds].filter((seconds) => seconds !== null);
  return [
    peer.node,
    String(peer.family),
    peer.state,
    `${peer.kind ?? "-"}${peer.runs === "flannel" ? " (flannel)" : ""}`,
    peer.endpoint ?? "-",
    peer.podCidr,
    heard.length > 0 ? `${formatSeconds(Math.min(...heard))} ago` : "-",
    peer.roundTripMs === null ? "-" : `${peer.roundTripMs.toFixed(2)} ms`,
    mtuText(peer),
    trafficText(peer.received),
    peer.sentBytes === null ? "-" : formatBytes(peer.sentBytes),
  ];
}

/** What the device takes; and what gets through, where that is less. */
function mtuText({ mtuBytes, pathMtuBytes }: PeerStatus): string {
  if (mtuBytes === null) return "-";
  return pathMtuBytes !== null && pathMtuBytes < mtuBytes
    ? `${mtuBytes} (path ${pathMtuBytes})`
    : String(mtuBytes);
}

function deviceLine(device: DeviceStatus): string {
  const { name, kind, isUp, mtuBytes, port, underlay, local, carrier } = device;
  const parts = [
    `${name} ${isUp ? "up" : "down"}: ${kind}`,
    carrier && `by ${carrier === "kernel" ? "the kernel" : "a program"}`,
    port !== null && `UDP port ${port}`,
    underlay && `over ${underlay}${local ? ` from ${local}` : ""}`,
    `MTU ${mtuBytes}`,
  ];
  return parts.filter(Boolean).join(", ");
}

function guardLines({ state, ports, strangers, listed, isFull }: GuardStatus): readonly string[] {
  if (state === "absent") return ["guard: its rules are not loaded"];
  if (ports.length === 0) return ["guard: no tunnel, no ports to guard"];
  const what = ports.length === 1 ? `UDP port ${ports[0]} takes` : `UDP ports ${ports.join(", ")} take`;
  const fate = state === "on" ? "dropped" : "let in";
  const head =
    state === "on"
      ? `guard: on, ${what} packets of nodes only`
      : `guard: off, ${what} packets of anybody who can reach this machine`;
  if (strangers.packets === 0) return [head];
  const rest = listed.length - MOST_STRANGERS;
  return [
    `${head}; ${fate}: ${trafficText(strangers)}`,
    ...listed.slice(0, MOST_STRANGERS).map((stranger) => `  ${strangerText(stranger)}`),
    ...(rest > 0 || isFull ? [`  and from ${isFull ? "very many" : rest} other addresses`] : []),
  ];
}

function strangerText({ ip, packets, secondsAgo, node }: StrangerStatus): string {
  const whose =
    node === null
      ? "which is no node's address"
      : `an address of node ${node}: before it was known as such, by a pod, or by way of a service`;
  return `${packets} ${packets === 1 ? "packet" : "packets"} from ${ip}, ${whose}; the last ${formatSeconds(secondsAgo)} ago`;
}

function roundLines({ rounds }: FabricStatus): readonly string[] {
  const { lastFaults } = rounds;
  return lastFaults.map((fault) => `failed, will be tried again: ${fault}`);
}

function trafficText(traffic: Traffic | null): string {
  return traffic === null ? "-" : `${traffic.packets} (${formatBytes(traffic.bytes)})`;
}

function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

function formatSeconds(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("   ")
      .trimEnd(),
  );
}
