import { WireError } from "../wire-error.ts";

/** An absolute domain name in presentation form: labels each followed by a dot, such as `web.default.svc.cluster.local.`;
 *  the root is `.`. Bytes that would be ambiguous are escaped as `\.` or `\DDD`. Letter case is kept. */
export type Name = string;

export const MAX_NAME_BYTES = 255;
export const MAX_LABEL_BYTES = 63;
const MAX_JUMPS = 126;
const ROOT = Buffer.from([0]);

/** Reads a name at `at`, following compression pointers, which may only point back.
 *  `next` is where the bytes after the name start. @throws {WireError} @see RFC 1035 section 4.1.4 */
export function readName(bytes: Uint8Array, at: number): { readonly name: Name; readonly next: number } {
  let text = "";
  let next = -1;
  let length = 0;
  let floor = at;
  for (let jumps = 0; ; ) {
    const size = bytes[at];
    if (size === undefined) throw new WireError("name", "it runs past the message");
    if (size === 0) break;
    if (size > MAX_LABEL_BYTES) {
      const low = bytes[at + 1];
      if (size < 0xc0 || low === undefined) throw new WireError("name", "it has a label of unknown type");
      if (next < 0) next = at + 2;
      const target = ((size & 0x3f) << 8) | low;
      if (target >= floor || ++jumps > MAX_JUMPS)
        throw new WireError("name", "a pointer does not point back");
      floor = target;
      at = target;
      continue;
    }
    length += size + 1;
    if (length >= MAX_NAME_BYTES) throw new WireError("name", "it is longer than 255 bytes");
    if (at + size >= bytes.length) throw new WireError("name", "it runs past the message");
    text += labelText(bytes, at + 1, size);
    at += size + 1;
  }
  return { name: text === "" ? "." : text, next: next < 0 ? at + 1 : next };
}

/** The uncompressed bytes of a name. @throws {WireError} for an empty or too long label, or more than 255 bytes */
export function encodeName(name: Name): Buffer {
  if (name === "." || name === "") return ROOT;
  const labels = splitName(name).map(labelBytes);
  const out = Buffer.concat([...labels, ROOT]);
  if (out.length > MAX_NAME_BYTES) throw new WireError("name", `${name} is longer than 255 bytes`);
  return out;
}

/** The labels of a name, as text with escapes kept. The root has none. */
export function splitName(name: Name): string[] {
  if (!name.includes("\\")) {
    if (name === "." || name === "") return [];
    return (name.endsWith(".") ? name.slice(0, -1) : name).split(".");
  }
  return (name.match(/(?:[^.\\]|\\\d{3}|\\[^\d])+(?=\.|$)/g) ?? []).slice();
}

/** The lower-case absolute form, the one that names are compared and filed by. */
export function nameKey(name: string): Name {
  const lower = name.toLowerCase();
  return lower.endsWith(".") ? lower : `${lower}.`;
}

/** Whether `name` is `zone` or lies below it. Both as `nameKey` gives them. */
export function isWithin(name: Name, zone: Name): boolean {
  if (zone === ".") return true;
  if (!name.endsWith(zone)) return false;
  return name.length === zone.length || name.charCodeAt(name.length - zone.length - 1) === 0x2e;
}

/** What is left of `zone` in `name`, without the dot between; empty for the zone itself. */
export function relativeTo(name: Name, zone: Name): string {
  if (zone === ".") return name === "." ? "" : name.slice(0, -1);
  return name.length === zone.length ? "" : name.slice(0, -zone.length - 1);
}

/** The longest of `zones` that holds `name`; undefined when none does. */
export function zoneOf<Z extends Name>(name: Name, zones: readonly Z[]): Z | undefined {
  let best: Z | undefined;
  for (const zone of zones) {
    if (isWithin(name, zone) && (best === undefined || zone.length > best.length)) best = zone;
  }
  return best;
}

/** Whether a byte stands for itself in presentation form. */
export function isPlain(byte: number): boolean {
  return (
    byte > 0x20 &&
    byte < 0x7f &&
    byte !== 0x2e && // .
    byte !== 0x5c && // \
    byte !== 0x22 && // "
    byte !== 0x28 && // (
    byte !== 0x29 && // )
    byte !== 0x3b && // ;
    byte !== 0x40 // @
  );
}

function labelText(bytes: Uint8Array, start: number, size: number): string {
  let text = "";
  for (let i = start; i < start + size; i++) {
    const byte = bytes[i] ?? 0;
    if (isPlain(byte)) text += String.fromCharCode(byte);
    else if (byte > 0x20 && byte < 0x7f) text += `\\${String.fromCharCode(byte)}`;
    else text += `\\${String(byte).padStart(3, "0")}`;
  }
  return `${text}.`;
}

function labelBytes(label: string): Buffer {
  const raw = label.replace(/\\(\d{3}|[^\d])/g, (_, escaped: string) =>
    escaped.length === 3 ? String.fromCharCode(Number(escaped) & 0xff) : escaped,
  );
  if (raw.length === 0) throw new WireError("name", "a label is empty");
  if (raw.length > MAX_LABEL_BYTES) throw new WireError("name", `the label ${label} is longer than 63 bytes`);
  const out = Buffer.allocUnsafe(raw.length + 1);
  out[0] = raw.length;
  out.write(raw, 1, "latin1");
  return out;
}
