import { type Ip, ipFromBytes, isIp, parseIp } from "#addr/ip";
import { WireError } from "../wire-error.ts";
import { nameKey, readName } from "./name.ts";
import { TYPE, typeName, typeNumber } from "./numbers.ts";
import {
  addressRecord,
  nameRecord,
  type ResourceRecord,
  record,
  soaRecord,
  srvRecord,
  textRecord,
} from "./record.ts";

/** A record as a line of a zone file: `web.default.svc.cluster.local. 5 IN A 10.43.0.9`. */
export function formatRecord(rr: ResourceRecord): string {
  return `${rr.owner} ${rr.ttl} IN ${typeName(rr.type)} ${formatData(rr)}`;
}

/** Reads a line in the same notation. Relative names are taken as absolute. @throws {WireError} */
export function parseRecord(line: string): ResourceRecord {
  const words = line.trim().match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
  const [owner = "", ttl = "", , mnemonic = "", ...data] = words;
  const type = typeNumber(mnemonic);
  if (type === undefined || !/^\d+$/.test(ttl) || data.length === 0)
    throw new WireError("record", `${JSON.stringify(line)} is not "name ttl IN type data"`);
  return parseData(absolute(owner), type, Number(ttl), data);
}

const absolute = (name: string): string => (name.endsWith(".") ? name : `${name}.`);

function parseData(owner: string, type: number, ttl: number, data: readonly string[]): ResourceRecord {
  const [a = "", b = "", c = "", d = ""] = data;
  const numbers = data.map(Number);
  switch (type) {
    case TYPE.A:
    case TYPE.AAAA:
      if (!isIp(a)) throw new WireError("record", `${a} is not an address`);
      return addressRecord(owner, ttl, parseIp(a));
    case TYPE.CNAME:
    case TYPE.NS:
    case TYPE.PTR:
      return nameRecord(owner, type, ttl, absolute(a));
    case TYPE.SRV: {
      const [priority = 0, weight = 0, port = 0] = numbers;
      return srvRecord(owner, ttl, { priority, weight, port, target: absolute(d) });
    }
    case TYPE.SOA: {
      const [, , serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0] = numbers;
      return soaRecord(owner, ttl, {
        mname: absolute(a),
        rname: absolute(b),
        serial,
        refresh,
        retry,
        expire,
        minimum,
      });
    }
    case TYPE.MX:
      return record(
        owner,
        type,
        ttl,
        Buffer.concat([word(Number(a)), nameRecord(b, type, 0, absolute(b)).data]),
      );
    case TYPE.TXT:
    case TYPE.HINFO:
      return textRecord(
        owner,
        type,
        ttl,
        data.map((text) => text.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1")),
      );
    default:
      if (a === "\\#") return record(owner, type, ttl, Buffer.from(c, "hex"));
      throw new WireError("record", `data of type ${typeName(type)} is not understood`);
  }
}

function word(value: number): Buffer {
  const out = Buffer.allocUnsafe(2);
  out.writeUInt16BE(value);
  return out;
}

function formatData({ type, data }: ResourceRecord): string {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  switch (type) {
    case TYPE.A:
    case TYPE.AAAA:
      return addressIn(data);
    case TYPE.CNAME:
    case TYPE.NS:
    case TYPE.PTR:
    case TYPE.DNAME:
      return readName(data, 0).name;
    case TYPE.SRV:
      return `${bytes.readUInt16BE(0)} ${bytes.readUInt16BE(2)} ${bytes.readUInt16BE(4)} ${readName(data, 6).name}`;
    case TYPE.MX:
      return `${bytes.readUInt16BE(0)} ${readName(data, 2).name}`;
    case TYPE.SOA: {
      const mname = readName(data, 0);
      const rname = readName(data, mname.next);
      const numbers = [0, 4, 8, 12, 16].map((at) => bytes.readUInt32BE(rname.next + at));
      return `${mname.name} ${rname.name} ${numbers.join(" ")}`;
    }
    case TYPE.TXT:
    case TYPE.HINFO:
      return stringsIn(bytes)
        .map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`)
        .join(" ");
    default:
      return `\\# ${data.length} ${bytes.toString("hex")}`;
  }
}

/** The address in the data of an A or AAAA record. */
export function addressIn(data: Uint8Array): Ip {
  return ipFromBytes(data);
}

/** The character strings in the data of a TXT or HINFO record. */
export function stringsIn(data: Buffer): string[] {
  const out: string[] = [];
  for (let at = 0; at < data.length; at += (data[at] ?? 0) + 1)
    out.push(data.toString("latin1", at + 1, at + 1 + (data[at] ?? 0)));
  return out;
}

export const sameName = (a: string, b: string): boolean => nameKey(a) === nameKey(b);
