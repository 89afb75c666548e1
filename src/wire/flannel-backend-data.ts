/** What stands in `backend-data` and `backend-v6-data`: per backend, what a sender must know besides an address. */
import { type Mac, macToBytes, parseMac } from "#addr/mac";
import { isNoKey, isWireguardKey } from "./wireguard-key.ts";

export interface VxlanData {
  readonly vni: number;
  readonly mac: Mac;
}

export interface WireguardData {
  /** 32 bytes in base64, as `wg` writes them. */
  readonly publicKey: string;
  /** UDP port the node listens on; absent means the reader's own. */
  readonly port?: number;
}

/** `{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}`: key order and the absence of blanks matter, because flannel re-reads its own
 *  annotation by splitting at quotes. */
export function formatVxlanData({ vni, mac }: VxlanData): string {
  return JSON.stringify({ VNI: vni, VtepMAC: mac });
}

/** @throws {Error} with a sentence for the operator */
export function parseVxlanData(text: string): VxlanData {
  const { VNI: vni, VtepMAC: mac } = parseObject(text);
  return checkVxlanData({ vni, mac });
}

/** @throws {Error} with a sentence for the operator */
export function checkVxlanData({ vni, mac }: { readonly [K in keyof VxlanData]: unknown }): VxlanData {
  if (typeof vni !== "number" || !Number.isInteger(vni) || vni < 1 || vni >= 1 << 24)
    throw new Error("VNI is not a number from 1 to 16777215");
  if (typeof mac !== "string") throw new Error("VtepMAC is missing");
  return { vni, mac: unicast(parseMac(mac)) };
}

/** `{"PublicKey":"…","Port":51820}` */
export function formatWireguardData({ publicKey, port }: WireguardData): string {
  return JSON.stringify({ PublicKey: publicKey, ...(port === undefined ? {} : { Port: port }) });
}

/** @throws {Error} with a sentence for the operator */
export function parseWireguardData(text: string): WireguardData {
  const { PublicKey: publicKey, Port: port = 0 } = parseObject(text);
  return checkWireguardData({ publicKey, port });
}

/** @throws {Error} with a sentence for the operator */
export function checkWireguardData({
  publicKey,
  port,
}: {
  readonly [K in keyof Required<WireguardData>]: unknown;
}): WireguardData {
  if (typeof publicKey !== "string" || !isWireguardKey(publicKey) || isNoKey(publicKey))
    throw new Error("PublicKey is not 32 bytes in base64");
  if (typeof port !== "number" || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new Error("Port is not a number from 0 to 65535");
  return port === 0 ? { publicKey } : { publicKey, port };
}

function parseObject(text: string): { readonly [key: string]: unknown } {
  const json: unknown = JSON.parse(text);
  if (typeof json !== "object" || json === null) throw new Error("expected a JSON object");
  return { ...json };
}

function unicast(mac: Mac): Mac {
  const first = macToBytes(mac)[0] ?? 0;
  if ((first & 1) === 1 || mac === "00:00:00:00:00:00") throw new Error(`${mac} is not one device's address`);
  return mac;
}
