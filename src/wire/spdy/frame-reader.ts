import { WireError } from "../wire-error.ts";
import { CONTROL_TYPE, FLAG_FIN, FRAME_HEADER_BYTES, type SpdyFrame, VERSION } from "./frame.ts";
import { HeaderBlockReader, MAX_HEADER_BYTES } from "./header-block.ts";

/** The longest control frame that is read; those of Kubernetes' clients have some hundred bytes. */
const MAX_CONTROL_BYTES = MAX_HEADER_BYTES;
const ID_BITS = 0x7fffffff;

type Body =
  | { readonly kind: "data"; readonly streamId: number; readonly isLast: boolean; left: number }
  | {
      readonly kind: "control";
      readonly type: number;
      readonly isLast: boolean;
      readonly bytes: Buffer;
      filled: number;
    };

/** Reads the frames of one direction of a connection out of whatever pieces it arrives in. A data frame is given out piece by piece
 *  as it comes, a control frame whole, so that never more than 64 KiB are held. */
export class FrameReader {
  readonly #blocks = new HeaderBlockReader();
  readonly #head = Buffer.alloc(FRAME_HEADER_BYTES);
  #headFilled = 0;
  #body: Body | undefined;

  /** The frames that `bytes` ends, and the pieces of data in it. To be read to the end. @throws {WireError} and is of no use then */
  *read(bytes: Buffer): Generator<SpdyFrame> {
    let rest = bytes;
    // A frame without a body is whole as soon as its head is.
    while (rest.length > 0 || (this.#body !== undefined && leftOf(this.#body) === 0)) {
      if (this.#body === undefined) {
        const taken = rest.copy(this.#head, this.#headFilled);
        rest = rest.subarray(taken);
        this.#headFilled += taken;
        if (this.#headFilled < FRAME_HEADER_BYTES) return;
        this.#headFilled = 0;
        this.#body = beginBody(this.#head);
      }
      const body: Body = this.#body;
      const piece = rest.subarray(0, leftOf(body));
      rest = rest.subarray(piece.length);
      if (body.kind === "data") {
        body.left -= piece.length;
        if (body.left === 0) this.#body = undefined;
        const isLast = body.isLast && body.left === 0;
        if (piece.length > 0 || isLast) yield { type: "data", streamId: body.streamId, bytes: piece, isLast };
        continue;
      }
      body.filled += piece.copy(body.bytes, body.filled);
      if (body.filled < body.bytes.length) return;
      this.#body = undefined;
      const frame = this.#control(body.type, body.bytes, body.isLast);
      if (frame !== undefined) yield frame;
    }
  }

  /** Undefined for what says nothing here: settings, window updates, and what nobody knows. */
  #control(type: number, bytes: Buffer, isLast: boolean): SpdyFrame | undefined {
    switch (type) {
      case CONTROL_TYPE["syn-stream"]:
        return { type: "syn-stream", streamId: streamIdIn(bytes), headers: this.#headers(bytes, 10), isLast };
      case CONTROL_TYPE["syn-reply"]:
        return { type: "syn-reply", streamId: streamIdIn(bytes), headers: this.#headers(bytes, 4), isLast };
      case CONTROL_TYPE.headers:
        return { type: "headers", streamId: streamIdIn(bytes), headers: this.#headers(bytes, 4), isLast };
      case CONTROL_TYPE["rst-stream"]:
        return { type: "rst-stream", streamId: streamIdIn(bytes), status: wordAt(bytes, 4) };
      case CONTROL_TYPE.ping:
        return { type: "ping", id: wordAt(bytes, 0) };
      case CONTROL_TYPE["go-away"]:
        return { type: "go-away", lastStreamId: wordAt(bytes, 0) & ID_BITS, status: wordAt(bytes, 4) };
      default:
        return undefined;
    }
  }

  #headers(bytes: Buffer, from: number): ReadonlyMap<string, string> {
    if (bytes.length < from) throw new WireError("a SPDY frame", "it ends before its headers");
    return this.#blocks.read(bytes.subarray(from));
  }
}

function leftOf(body: Body): number {
  return body.kind === "data" ? body.left : body.bytes.length - body.filled;
}

function beginBody(head: Buffer): Body {
  const [first, second] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  const length = second & 0xffffff;
  const isLast = ((second >>> 24) & FLAG_FIN) !== 0;
  if (first >>> 31 === 0) {
    if (first === 0) throw new WireError("a SPDY frame", "data for stream 0");
    return { kind: "data", streamId: first, isLast, left: length };
  }
  const version = (first >>> 16) & 0x7fff;
  if (version !== VERSION) throw new WireError("a SPDY frame", `it is of version ${version}, not ${VERSION}`);
  if (length > MAX_CONTROL_BYTES) throw new WireError("a SPDY frame", `a control frame of ${length} bytes`);
  return { kind: "control", type: first & 0xffff, isLast, bytes: Buffer.alloc(length), filled: 0 };
}

function streamIdIn(bytes: Buffer): number {
  const id = wordAt(bytes, 0) & ID_BITS;
  if (id === 0) throw new WireError("a SPDY frame", "it is about stream 0");
  return id;
}

function wordAt(bytes: Buffer, at: number): number {
  if (at + 4 > bytes.length) throw new WireError("a SPDY frame", `it has only ${bytes.length} bytes`);
  return bytes.readUInt32BE(at);
}
