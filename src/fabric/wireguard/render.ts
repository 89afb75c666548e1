import type { TunnelPeerChange, WireguardOp } from "./plan.ts";
import { endpointText } from "./tunnel.ts";

/** The operation as one would type it (`ip`, `wg`); keys that are secret are not shown. */
export function renderWireguardOp(op: WireguardOp): string {
  switch (op.op) {
    case "add-tunnel": {
      const { name, mtuBytes, listenPort } = op.tunnel;
      return `ip link add ${name} up mtu ${mtuBytes} type wireguard\nwg set ${name} listen-port ${listenPort} private-key (hidden)`;
    }
    case "change-tunnel":
      return renderChange(op).join("\n");
    case "delete-tunnel":
      return `ip link del ${op.name}`;
    case "add-tunnel-address":
    case "delete-tunnel-address":
      return `ip addr ${op.op === "add-tunnel-address" ? "add" : "del"} ${op.address} dev ${op.name}`;
    case "set-tunnel-peers":
      return [...op.peers]
        .map(([key, change]) => `wg set ${op.name} peer ${key}${peerWords(change)}`)
        .join("\n");
    case "delete-tunnel-peers":
      return op.keys.map((key) => `wg set ${op.name} peer ${key} remove`).join("\n");
    default:
      return op satisfies never;
  }
}

function renderChange({ name, change }: Extract<WireguardOp, { op: "change-tunnel" }>): readonly string[] {
  const { publicKey, listenPort, mtuBytes, isUp } = change;
  const link = [mtuBytes && `mtu ${mtuBytes}`, isUp !== undefined && (isUp ? "up" : "down")].filter(Boolean);
  const device = [listenPort && `listen-port ${listenPort}`, publicKey && "private-key (hidden)"].filter(
    Boolean,
  );
  return [
    ...(link.length > 0 ? [`ip link set ${name} ${link.join(" ")}`] : []),
    ...(device.length > 0 ? [`wg set ${name} ${device.join(" ")}`] : []),
  ];
}

function peerWords(change: TunnelPeerChange): string {
  const { endpoint, keepaliveSeconds, allowedIps } = change;
  return [
    "presharedKey" in change
      ? ` preshared-key ${change.presharedKey === undefined ? "(none)" : "(hidden)"}`
      : "",
    endpoint ? ` endpoint ${endpointText(endpoint)}` : "",
    keepaliveSeconds === undefined ? "" : ` persistent-keepalive ${keepaliveSeconds}`,
    allowedIps ? ` allowed-ips ${allowedIps.join(",")}` : "",
  ].join("");
}
