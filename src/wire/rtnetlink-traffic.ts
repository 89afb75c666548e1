/** Traffic control: how fast a link sends (tbf), and where what it receives goes (ingress, u32, mirred).
 *  @see rtnetlink(7), linux/pkt_sched.h, linux/pkt_cls.h, linux/tc_act/tc_mirred.h */
import { body, type NlMessage, viewOf } from "./netlink.ts";
import { attribute, decodeAttributes, nest, nested, readString, string, u32 } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";

export const RTM_NEWQDISC = 36;
export const RTM_GETQDISC = 38;
export const RTM_NEWTFILTER = 44;

const ROOT = 0xffff_ffff;
const INGRESS = 0xffff_fff1;
const INGRESS_HANDLE = 0xffff_0000;
/** The first handle of a root, as `tc` gives it. */
const FIRST_HANDLE = 0x0001_0000;
const HEADER_BYTES = 20;
const HEADER = { index: 4, handle: 8, parent: 12, info: 16 } as const;
const TCA = { kind: 1, options: 2 } as const;
const TBF = { parameters: 1, rate64: 4, burst: 6 } as const;
const TBF_PARAMETER_BYTES = 36;
const TBF_AT = { linkLayer: 1, rate: 8, limit: 24, buffer: 28 } as const;
const ETHERNET = 1;
const U32 = { selector: 5, action: 7 } as const;
const SELECTOR_BYTES = 32;
const SELECTOR_AT = { flags: 0, keys: 2 } as const;
const TERMINAL = 1;
const ACTION = { kind: 1, options: 2 } as const;
const MIRRED_PARAMETERS = 2;
const MIRRED_BYTES = 28;
const MIRRED_AT = { action: 8, kind: 20, link: 24 } as const;
const REDIRECT_OUT = 1;
const STOLEN = 4;
const ALL_PROTOCOLS = 0x0003;
const FIRST_PRIORITY = 1;
const NS_PER_SECOND = 1e9;
/** Of what the scheduler counts its time in: 64 ns. @see PSCHED_SHIFT */
const NS_PER_TICK = 64;

export interface PaceMessage {
  readonly link: number;
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  readonly queueBytes: number;
}

/** The body of RTM_NEWQDISC that gives a link a token bucket as its root. */
export function encodePace({ link, bytesPerSecond, burstBytes, queueBytes }: PaceMessage): Uint8Array[] {
  const parameters = new Uint8Array(TBF_PARAMETER_BYTES);
  const view = viewOf(parameters);
  view.setUint8(TBF_AT.linkLayer, ETHERNET);
  view.setUint32(TBF_AT.rate, Math.min(bytesPerSecond, 0xffff_ffff), true);
  view.setUint32(TBF_AT.limit, queueBytes, true);
  const rate = new Uint8Array(8);
  viewOf(rate).setBigUint64(0, BigInt(bytesPerSecond), true);
  return body(header({ link, handle: FIRST_HANDLE, parent: ROOT }), [
    string(TCA.kind, "tbf"),
    nest(
      TCA.options,
      attribute(TBF.parameters, parameters),
      attribute(TBF.rate64, rate),
      u32(TBF.burst, burstBytes),
    ),
  ]);
}

export function encodePaceQuery(): Uint8Array[] {
  return body(header({ link: 0, handle: 0, parent: 0 }), []);
}

/** Reads RTM_NEWQDISC; nothing for what is no token bucket at a link's root. @throws {WireError} */
export function decodePace({ payload }: NlMessage): PaceMessage | undefined {
  if (payload.length < HEADER_BYTES) throw new WireError("queueing discipline", `${payload.length} bytes`);
  const view = viewOf(payload);
  const attributes = decodeAttributes(payload.subarray(HEADER_BYTES));
  if (readString(attributes, TCA.kind) !== "tbf" || view.getUint32(HEADER.parent, true) !== ROOT)
    return undefined;
  const options = nested(attributes, TCA.options);
  const parameters = options.get(TBF.parameters);
  if (parameters === undefined || parameters.length < TBF_PARAMETER_BYTES)
    throw new WireError("token bucket", "it has no parameters");
  const found = viewOf(parameters);
  const rate64 = options.get(TBF.rate64);
  const bytesPerSecond =
    rate64?.length === 8 ? Number(viewOf(rate64).getBigUint64(0, true)) : found.getUint32(TBF_AT.rate, true);
  const burstNs = found.getUint32(TBF_AT.buffer, true) * NS_PER_TICK;
  return {
    link: view.getInt32(HEADER.index, true),
    bytesPerSecond,
    burstBytes: Math.round((burstNs * bytesPerSecond) / NS_PER_SECOND),
    queueBytes: found.getUint32(TBF_AT.limit, true),
  };
}

/** The body of RTM_NEWQDISC that lets filters see what a link receives. */
export function encodeReceiving(link: number): Uint8Array[] {
  return body(header({ link, handle: INGRESS_HANDLE, parent: INGRESS }), [string(TCA.kind, "ingress")]);
}

/** The body of RTM_NEWTFILTER that sends all that `link` receives to `to`. */
export function encodeRedirection(link: number, to: number): Uint8Array[] {
  const selector = new Uint8Array(SELECTOR_BYTES);
  selector[SELECTOR_AT.flags] = TERMINAL;
  selector[SELECTOR_AT.keys] = 1; // its mask of zero fits every packet
  const mirred = new Uint8Array(MIRRED_BYTES);
  const view = viewOf(mirred);
  view.setInt32(MIRRED_AT.action, STOLEN, true);
  view.setInt32(MIRRED_AT.kind, REDIRECT_OUT, true);
  view.setUint32(MIRRED_AT.link, to, true);
  // The protocol is in network order, in the lower half.
  const info = FIRST_PRIORITY * 0x1_0000 + ((ALL_PROTOCOLS << 8) & 0xff00);
  return body(header({ link, handle: 0, parent: INGRESS_HANDLE, info }), [
    string(TCA.kind, "u32"),
    nest(
      TCA.options,
      attribute(U32.selector, selector),
      nest(
        U32.action,
        nest(1, string(ACTION.kind, "mirred"), nest(ACTION.options, attribute(MIRRED_PARAMETERS, mirred))),
      ),
    ),
  ]);
}

function header(of: { link: number; handle: number; parent: number; info?: number }): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES);
  const view = viewOf(out);
  view.setInt32(HEADER.index, of.link, true);
  view.setUint32(HEADER.handle, of.handle, true);
  view.setUint32(HEADER.parent, of.parent, true);
  view.setUint32(HEADER.info, of.info ?? 0, true);
  return out;
}
