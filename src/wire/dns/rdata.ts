import { WireError } from "../wire-error.ts";
import { encodeName, readName } from "./name.ts";
import { TYPE } from "./numbers.ts";

/** Where the names stand in the data of a type: so many bytes, so many names, then anything. */
interface Layout {
  readonly skip: number;
  readonly names: number;
  /** Whether a sender may compress them. @see RFC 3597 section 4: only the types of RFC 1035 */
  readonly compressible: boolean;
}

const one: Layout = { skip: 0, names: 1, compressible: true };

const LAYOUTS: ReadonlyMap<number, Layout> = new Map([
  [TYPE.NS, one],
  [TYPE.CNAME, one],
  [TYPE.PTR, one],
  [3, one], // MD
  [4, one], // MF
  [7, one], // MB
  [8, one], // MG
  [9, one], // MR
  [TYPE.SOA, { skip: 0, names: 2, compressible: true }],
  [14, { skip: 0, names: 2, compressible: true }], // MINFO
  [TYPE.MX, { skip: 2, names: 1, compressible: true }],
  [17, { skip: 0, names: 2, compressible: false }], // RP
  [18, { skip: 2, names: 1, compressible: false }], // AFSDB
  [21, { skip: 2, names: 1, compressible: false }], // RT
  [26, { skip: 2, names: 2, compressible: false }], // PX
  [TYPE.SRV, { skip: 6, names: 1, compressible: false }],
  [36, { skip: 2, names: 1, compressible: false }], // KX
  [TYPE.DNAME, { skip: 0, names: 1, compressible: false }],
]);

export function rdataLayout(type: number): Layout | undefined {
  return LAYOUTS.get(type);
}

/** Fixed sizes that a record of the type has to have. */
const SIZES: ReadonlyMap<number, number> = new Map([
  [TYPE.A, 4],
  [TYPE.AAAA, 16],
]);

/** Takes the record data at `at` out of a message, with compressed names spelled out.
 *  @throws {WireError} when it does not fill its length exactly */
export function readRdata(message: Uint8Array, type: number, at: number, length: number): Uint8Array {
  const end = at + length;
  if (end > message.length) throw new WireError("record", "its data runs past the message");
  const size = SIZES.get(type);
  if (size !== undefined && length !== size)
    throw new WireError("record", `its data has ${length} bytes, not ${size}`);
  const layout = rdataLayout(type);
  // A copy: the message's buffer is used again for the next one.
  if (layout === undefined) return Buffer.from(message.subarray(at, end));
  const parts: Uint8Array[] = [message.subarray(at, at + layout.skip)];
  let cursor = at + layout.skip;
  for (let i = 0; i < layout.names; i++) {
    const { name, next } = readName(message, cursor);
    parts.push(encodeName(name));
    cursor = next;
  }
  if (cursor > end) throw new WireError("record", "a name in its data runs past its end");
  parts.push(message.subarray(cursor, end));
  return Buffer.concat(parts);
}
