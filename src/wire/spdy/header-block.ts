import { constants, inflateRawSync } from "node:zlib";
import { WireError } from "../wire-error.ts";
import { HEADER_DICTIONARY } from "./dictionary.ts";

/** Names in lower case; several values of one name are separated by NUL. */
export type SpdyHeaders = ReadonlyMap<string, string>;

/** What one header block may hold once it is inflated. */
export const MAX_HEADER_BYTES = 64 * 1024;

const WINDOW_BYTES = 32 * 1024;
const ZLIB_HEADER = Buffer.from([0x78, 0x01]);
/** An empty stored block, as a flush leaves behind: a reader gives out what came before it. */
const FLUSH = Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]);
const DEFLATE = 8;
const HAS_DICTIONARY = 0x20;
const MAX_STORED_BYTES = 0xffff;

/** Writes one connection's header blocks as the zlib stream they are parts of. Blocks are stored, not compressed: they are short,
 *  a compressor costs 256 KiB a connection, and every inflater takes them. */
export class HeaderBlockWriter {
  #isBegun = false;

  write(headers: SpdyHeaders): Buffer {
    const text = formatHeaders(headers);
    const parts: Buffer[] = this.#isBegun ? [] : [ZLIB_HEADER];
    this.#isBegun = true;
    for (let at = 0; at < text.length; at += MAX_STORED_BYTES) {
      const piece = text.subarray(at, at + MAX_STORED_BYTES);
      const head = Buffer.alloc(5);
      head.writeUInt16LE(piece.length, 1);
      head.writeUInt16LE(~piece.length & 0xffff, 3);
      parts.push(head, piece);
    }
    return Buffer.concat([...parts, FLUSH]);
  }
}

/** Reads one connection's header blocks. Each ends with a flush at a whole byte, so that it inflates by itself, given the last 32 KiB
 *  of what came before it: in order, at once, and with a bound on what it may grow to. */
export class HeaderBlockReader {
  #window: Buffer | undefined;

  /** @throws {WireError} when the block is not what a compressor wrote next, or is too long */
  read(block: Buffer): SpdyHeaders {
    const isFirst = this.#window === undefined;
    const { window, deflated } = isFirst ? begin(block) : { window: this.#window, deflated: block };
    const text = inflate(deflated, window ?? Buffer.alloc(0));
    this.#window = Buffer.concat([window ?? Buffer.alloc(0), text]).subarray(-WINDOW_BYTES);
    return parseHeaders(text);
  }
}

/** Takes the zlib stream's header off its first block. */
function begin(block: Buffer): { window: Buffer; deflated: Buffer } {
  if (block.length < 2) throw new WireError("a header block", "it ends inside the zlib header");
  const [method = 0, flags = 0] = block;
  if ((method & 0x0f) !== DEFLATE || (method * 256 + flags) % 31 !== 0)
    throw new WireError("a header block", "it does not begin a zlib stream");
  if ((flags & HAS_DICTIONARY) === 0) return { window: Buffer.alloc(0), deflated: block.subarray(2) };
  return { window: HEADER_DICTIONARY, deflated: block.subarray(6) };
}

function inflate(deflated: Buffer, window: Buffer): Buffer {
  try {
    return inflateRawSync(deflated, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: MAX_HEADER_BYTES,
      ...(window.length === 0 ? {} : { dictionary: window }),
    });
  } catch (error) {
    throw new WireError("a header block", error instanceof Error ? error.message : String(error));
  }
}

function formatHeaders(headers: SpdyHeaders): Buffer {
  const parts: Buffer[] = [lengthOf(headers.size)];
  for (const [name, value] of headers) {
    for (const text of [name.toLowerCase(), value]) {
      const bytes = Buffer.from(text, "utf8");
      parts.push(lengthOf(bytes.length), bytes);
    }
  }
  return Buffer.concat(parts);
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
}

function parseHeaders(text: Buffer): SpdyHeaders {
  let at = 0;
  const number = () => {
    if (at + 4 > text.length) throw new WireError("a header block", "it ends inside a length");
    at += 4;
    return text.readUInt32BE(at - 4);
  };
  const string = () => {
    const length = number();
    if (length > text.length - at) throw new WireError("a header block", "it ends inside a string");
    at += length;
    return text.toString("utf8", at - length, at);
  };
  const headers = new Map<string, string>();
  for (let left = number(); left > 0; left--) {
    const name = string().toLowerCase();
    if (headers.has(name)) throw new WireError("a header block", `it has ${JSON.stringify(name)} twice`);
    headers.set(name, string());
  }
  if (at !== text.length) throw new WireError("a header block", "something follows the last header");
  return headers;
}
