import { encodeName, type Name } from "#wire/dns/name";
import { CLASS } from "#wire/dns/numbers";
import { HEADER_BYTES } from "#wire/dns/query";

/** A message that asks one question of class IN. */
export function encodeQuestion(
  name: Name,
  type: number,
  { id, flags }: { id: number; flags: number },
): Buffer {
  const owner = encodeName(name);
  const out = Buffer.alloc(HEADER_BYTES + owner.length + 4);
  out.writeUInt16BE(id, 0);
  out.writeUInt16BE(flags, 2);
  out.writeUInt16BE(1, 4);
  owner.copy(out, HEADER_BYTES);
  out.writeUInt16BE(type, HEADER_BYTES + owner.length);
  out.writeUInt16BE(CLASS.IN, HEADER_BYTES + owner.length + 2);
  return out;
}
