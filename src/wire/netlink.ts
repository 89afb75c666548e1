/** Netlink messages: a 16-byte header, a fixed part of the subsystem's, then attributes. All numbers are in the host's
 *  order, which on x86-64 and arm64 is little-endian; those that netlink keeps big-endian say so at their attribute.
 *  @see netlink(7), linux/netlink.h */
import { attributeBytes, decodeAttributes, type NlAttributes, textOf } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

const HEADER_BYTES = 16;
const HEADER = { length: 0, type: 4, flags: 6, seq: 8, port: 12 } as const;

export interface NlMessage {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  /** The socket that asked; 0 of what nobody, or nobody the kernel names, asked for. */
  readonly port: number;
  /** What follows the header. */
  readonly payload: Uint8Array;
}

/** What the kernel says about a request: errno 0 is an acknowledgement. */
export interface NlAnswer {
  /** Positive, as in errno(3). */
  readonly errno: number;
  /** The kernel's own sentence, when it had one. */
  readonly extAck: string | undefined;
  /** Where in the request the offending attribute starts, in bytes from its header. */
  readonly offset: number | undefined;
}

/** One message whose payload is `parts` in order. Each part must already be padded to four bytes. */
export function encodeMessage(
  head: { type: number; flags: number; seq: number },
  ...parts: readonly Uint8Array[]
): Uint8Array {
  let length = HEADER_BYTES;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setUint32(HEADER.length, length, true);
  view.setUint16(HEADER.type, head.type, true);
  view.setUint16(HEADER.flags, head.flags, true);
  view.setUint32(HEADER.seq, head.seq, true);
  let at = HEADER_BYTES;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The messages of one datagram. @throws {WireError} when a length does not fit */
export function decodeMessages(bytes: Uint8Array): NlMessage[] {
  const view = viewOf(bytes);
  const out: NlMessage[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < HEADER_BYTES)
      throw new WireError("netlink message", `${bytes.length - at} bytes are no header`);
    const length = view.getUint32(at + HEADER.length, true);
    if (length < HEADER_BYTES || length > bytes.length - at)
      throw new WireError("netlink message", `length ${length} of ${bytes.length - at} bytes`);
    out.push({
      type: view.getUint16(at + HEADER.type, true),
      flags: view.getUint16(at + HEADER.flags, true),
      seq: view.getUint32(at + HEADER.seq, true),
      port: view.getUint32(at + HEADER.port, true),
      payload: bytes.subarray(at + HEADER_BYTES, at + length),
    });
    at += (length + 3) & ~3;
  }
  return out;
}

/** Reads NLMSG_ERROR, and NLMSG_DONE, which carries the errno of a dump the same way but without the request's header. */
export function decodeAnswer(message: NlMessage): NlAnswer {
  const { payload } = message;
  if (payload.length < 4) {
    if (message.type === NLMSG_DONE) return { errno: 0, extAck: undefined, offset: undefined };
    throw new WireError("netlink answer", `${payload.length} bytes hold no errno`);
  }
  const errno = -viewOf(payload).getInt32(0, true);
  const attributes = answerAttributes(message);
  const text = attributes?.get(NLMSGERR_ATTR_MSG);
  const offset = attributes?.get(NLMSGERR_ATTR_OFFS);
  return {
    errno: errno === 0 ? 0 : errno,
    extAck: text && textOf(text),
    offset: offset && offset.length >= 4 ? viewOf(offset).getUint32(0, true) : undefined,
  };
}

function answerAttributes({ type, flags, payload }: NlMessage): NlAttributes | undefined {
  if ((flags & NLM_F_ACK_TLVS) === 0) return undefined;
  if (type === NLMSG_DONE) return decodeAttributes(payload.subarray(4));
  if (payload.length < 4 + HEADER_BYTES) return undefined;
  const request = flags & NLM_F_CAPPED ? HEADER_BYTES : viewOf(payload).getUint32(4, true);
  return decodeAttributes(payload.subarray(Math.min(payload.length, 4 + ((request + 3) & ~3))));
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The fixed part of a message followed by its attributes, ready for `encodeMessage`. */
export function body(header: Uint8Array, attributes: readonly (Uint8Array | undefined)[]): Uint8Array[] {
  return [header, ...attributeBytes(attributes)];
}
