/** The `Backend` of flannel's net-conf.json: which kind it is, and every option of that kind. */
import type { Family } from "#addr/family";
import { isWireguardKey } from "#wire/wireguard-key";
import type { ConfFields } from "./conf-fields.ts";
import {
  type FabricBackend,
  HOST_GW,
  VXLAN,
  type VxlanBackend,
  WIREGUARD,
  type WireguardBackend,
} from "./model.ts";
import { OVERHEAD_BYTES, WIREGUARD_MARGIN_BYTES } from "./overhead.ts";

/** Flannel's other backends: why they are not here, and what does their work. */
const REFUSED: Readonly<Record<string, string>> = {
  udp: "copies every packet through a process; use vxlan",
  alloc: "moves no packets: for a network of your own use --flannel-backend=none",
  extension: "runs commands from a file; use wireguard, or --flannel-backend=none with a network of your own",
  ipip: "carries IPv4 only; use vxlan, with DirectRouting where nodes share a network",
  ipsec: "has gone from K3s; use wireguard",
  "tencent-vpc": "writes the routes of a cloud; use host-gw or vxlan",
  "ali-vpc": "writes the routes of a cloud; use host-gw or vxlan",
  "aws-vpc": "writes the routes of a cloud; use host-gw or vxlan",
  gce: "writes the routes of a cloud; use host-gw or vxlan",
};

/** What a tunnel's device leaves for the tunnel. */
const MARGIN = {
  vxlan: OVERHEAD_BYTES.vxlan,
  wireguard: { 4: WIREGUARD_MARGIN_BYTES, 6: WIREGUARD_MARGIN_BYTES },
} as const;
/** What every link has to carry in one piece (RFC 791, RFC 8200). */
const LEAST_MTU = { 4: 576, 6: 1280 } as const;
const MOST_VNI = 2 ** 24 - 1;
const MODES = ["separate", "auto", "ipv4", "ipv6"] as const;

/** What the fields say, as far as they can be taken; the rest is told. @param families those the network has */
export function readBackend(fields: ConfFields, families: readonly Family[]): FabricBackend | undefined {
  const type = fields.text("Type", "write vxlan, host-gw or wireguard")?.toLowerCase();
  switch (type) {
    case "vxlan":
      return readVxlan(fields, families);
    case "host-gw":
      fields.warnOfOthers("host-gw");
      return HOST_GW;
    case "wireguard":
      return readWireguard(fields, families);
    case undefined:
      if (!fields.has("Type"))
        fields.problem("Type", "is missing, which is flannel's udp; write vxlan, host-gw or wireguard");
      return undefined;
    default:
      refuse(fields, type);
      return undefined;
  }
}

function refuse(fields: ConfFields, type: string): void {
  if (Object.hasOwn(REFUSED, type)) fields.problem("Type", `${type} ${REFUSED[type]}`);
  else if (type === "wireguard-native")
    fields.bad("Type", "in this file flannel's word is wireguard; wireguard-native is the flag's");
  else fields.bad("Type", "write vxlan, host-gw or wireguard");
}

function readVxlan(fields: ConfFields, families: readonly Family[]): VxlanBackend {
  const vni = fields.whole("VNI", { from: 1, to: MOST_VNI, otherwise: VXLAN.vni });
  const port = fields.whole("Port", { from: 0, to: 65535, otherwise: VXLAN.port });
  const mtuBytes = readMtu(fields, "vxlan", families);
  const backend: VxlanBackend = {
    kind: "vxlan",
    vni,
    port: port === 0 ? VXLAN.port : port,
    gbp: fields.flag("GBP", false),
    learning: fields.flag("Learning", false),
    directRouting: fields.flag("DirectRouting", false),
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
  };
  fields.warnOfOthers("vxlan");
  return backend;
}

function readWireguard(fields: ConfFields, families: readonly Family[]): WireguardBackend {
  const ports = {
    4: fields.whole("ListenPort", { from: 1, to: 65535, otherwise: WIREGUARD.listenPorts[4] }),
    6: fields.whole("ListenPortV6", { from: 1, to: 65535, otherwise: WIREGUARD.listenPorts[6] }),
  };
  const mode = readMode(fields, families);
  if (mode === "separate" && families.length > 1 && ports[4] === ports[6])
    fields.bad("ListenPortV6", "two devices cannot share a port; write 51821, or a Mode with one device");
  const presharedKey = readKey(fields);
  const keepaliveSeconds = fields.whole("PersistentKeepaliveInterval", { from: 0, to: 65535, otherwise: 0 });
  const underlayMtu = readMtu(fields, "wireguard", families);
  fields.warnOfOthers("wireguard");
  return {
    kind: "wireguard",
    listenPorts: ports,
    ...(presharedKey === undefined ? {} : { presharedKey }),
    keepaliveSeconds,
    // Flannel's word is the underlay's, ours the device's.
    ...(underlayMtu === undefined ? {} : { mtuBytes: underlayMtu - WIREGUARD_MARGIN_BYTES }),
    mode,
  };
}

function readMode(fields: ConfFields, families: readonly Family[]): WireguardBackend["mode"] {
  const write = `write ${MODES.join(", ")}`;
  const text = fields.text("Mode", write) ?? "separate";
  const mode = MODES.find((each) => each === text);
  if (mode === undefined) fields.bad("Mode", write);
  for (const family of [4, 6] as const) {
    if (mode === `ipv${family}` && !families.includes(family))
      fields.bad("Mode", `the network has no IPv${family}; write separate`);
  }
  return mode ?? "separate";
}

/** The key itself is told to nobody. */
function readKey(fields: ConfFields): string | undefined {
  const value = fields.raw("PSK");
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string" && isWireguardKey(value)) return value;
  fields.problem("PSK", "is no key; write 32 bytes in base64, such as `wg genpsk` prints");
  return undefined;
}

/** The MTU of the underlay, in place of the link's own; zero is the link's. */
function readMtu(
  fields: ConfFields,
  kind: keyof typeof MARGIN,
  families: readonly Family[],
): number | undefined {
  const mtu = fields.whole("MTU", { from: 0, to: 65535, otherwise: 0 });
  if (mtu === 0) return undefined;
  const least = Math.max(...families.map((family) => LEAST_MTU[family] + MARGIN[kind][family]));
  if (mtu < least)
    fields.bad("MTU", `packets of pods would not fit; write ${least} or more, or 0 for the interface's own`);
  return mtu;
}
