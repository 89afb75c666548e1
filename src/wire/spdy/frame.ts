import type { HeaderBlockWriter, SpdyHeaders } from "./header-block.ts";

/** What one frame says. Settings and window updates say nothing to peers without flow control, and are not here. */
export type SpdyFrame =
  | { readonly type: "data"; readonly streamId: number; readonly bytes: Buffer; readonly isLast: boolean }
  | HeadersFrame<"syn-stream">
  | HeadersFrame<"syn-reply">
  | HeadersFrame<"headers">
  | { readonly type: "rst-stream"; readonly streamId: number; readonly status: number }
  | { readonly type: "ping"; readonly id: number }
  | { readonly type: "go-away"; readonly lastStreamId: number; readonly status: number };

interface HeadersFrame<Type extends string> {
  readonly type: Type;
  readonly streamId: number;
  readonly headers: SpdyHeaders;
  /** The sender says nothing more on this stream. */
  readonly isLast: boolean;
}

export const VERSION = 3;
export const FRAME_HEADER_BYTES = 8;
export const FLAG_FIN = 0x01;
/** Of a frame's length, which has 24 bits. */
export const MAX_DATA_BYTES = 0xffffff;

export const CONTROL_TYPE = {
  "syn-stream": 1,
  "syn-reply": 2,
  "rst-stream": 3,
  ping: 6,
  "go-away": 7,
  headers: 8,
} as const;

/** Why a stream is reset. @see SPDY protocol draft 3.1, section 2.6.3 */
export const RESET = { protocolError: 1, invalidStream: 2, refused: 3, cancel: 5, internalError: 6 } as const;

/** The frame's bytes; header blocks come from the connection's writer, in the order of the calls. */
export function encodeFrame(frame: SpdyFrame, blocks: HeaderBlockWriter): Buffer {
  switch (frame.type) {
    case "data": {
      const head = Buffer.alloc(FRAME_HEADER_BYTES);
      head.writeUInt32BE(frame.streamId, 0);
      head.writeUInt32BE(((frame.isLast ? FLAG_FIN : 0) << 24) | frame.bytes.length, 4);
      return frame.bytes.length === 0 ? head : Buffer.concat([head, frame.bytes]);
    }
    case "syn-stream":
      // No associated stream, the highest priority, no credential slot.
      return withHeaders(frame, Buffer.alloc(6), blocks);
    case "syn-reply":
    case "headers":
      return withHeaders(frame, Buffer.alloc(0), blocks);
    case "rst-stream":
      return control(frame.type, 0, [words(frame.streamId, frame.status)]);
    case "ping":
      return control(frame.type, 0, [words(frame.id)]);
    case "go-away":
      return control(frame.type, 0, [words(frame.lastStreamId, frame.status)]);
    default:
      return frame satisfies never;
  }
}

function withHeaders(
  { type, streamId, headers, isLast }: HeadersFrame<"syn-stream" | "syn-reply" | "headers">,
  between: Buffer,
  blocks: HeaderBlockWriter,
): Buffer {
  return control(type, isLast ? FLAG_FIN : 0, [words(streamId), between, blocks.write(headers)]);
}

function control(type: keyof typeof CONTROL_TYPE, flags: number, body: readonly Buffer[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.length, 0);
  const head = Buffer.alloc(FRAME_HEADER_BYTES);
  head.writeUInt16BE(0x8000 | VERSION, 0);
  head.writeUInt16BE(CONTROL_TYPE[type], 2);
  head.writeUInt32BE(length, 4);
  head.writeUInt8(flags, 4);
  return Buffer.concat([head, ...body]);
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * i);
  return bytes;
}
