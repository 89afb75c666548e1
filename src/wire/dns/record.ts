import { type Ip, ipToBytes } from "#addr/ip";
import { encodeName, type Name } from "./name.ts";
import { CLASS, TYPE } from "./numbers.ts";

/** A resource record. `data` is its wire form with every name in it spelled out, so that it can be kept and moved freely. */
export interface ResourceRecord {
  readonly owner: Name;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: Uint8Array;
}

export interface Soa {
  readonly mname: Name;
  readonly rname: Name;
  readonly serial: number;
  readonly refresh: number;
  readonly retry: number;
  readonly expire: number;
  readonly minimum: number;
}

export interface Srv {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly target: Name;
}

export function record(owner: Name, type: number, ttl: number, data: Uint8Array): ResourceRecord {
  return { owner, type, class: CLASS.IN, ttl, data };
}

/** An A or AAAA record, as the address's family asks. */
export function addressRecord(owner: Name, ttl: number, ip: Ip): ResourceRecord {
  const data = ipToBytes(ip);
  return record(owner, data.length === 4 ? TYPE.A : TYPE.AAAA, ttl, data);
}

/** A record whose data is one name: CNAME, NS, PTR, DNAME. */
export function nameRecord(owner: Name, type: number, ttl: number, target: Name): ResourceRecord {
  return record(owner, type, ttl, encodeName(target));
}

export function srvRecord(owner: Name, ttl: number, srv: Srv): ResourceRecord {
  const head = Buffer.allocUnsafe(6);
  head.writeUInt16BE(srv.priority, 0);
  head.writeUInt16BE(srv.weight, 2);
  head.writeUInt16BE(srv.port, 4);
  return record(owner, TYPE.SRV, ttl, Buffer.concat([head, encodeName(srv.target)]));
}

export function soaRecord(owner: Name, ttl: number, soa: Soa): ResourceRecord {
  const tail = Buffer.allocUnsafe(20);
  for (const [i, value] of [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum].entries())
    tail.writeUInt32BE(value >>> 0, i * 4);
  return record(owner, TYPE.SOA, ttl, Buffer.concat([encodeName(soa.mname), encodeName(soa.rname), tail]));
}

/** A TXT or HINFO record: strings of at most 255 bytes each, longer text is cut into several. */
export function textRecord(owner: Name, type: number, ttl: number, texts: readonly string[]): ResourceRecord {
  const parts: Uint8Array[] = [];
  for (const text of texts) {
    const bytes = Buffer.from(text, "latin1");
    for (let at = 0; at === 0 || at < bytes.length; at += 255) {
      const chunk = bytes.subarray(at, at + 255);
      parts.push(Uint8Array.of(chunk.length), chunk);
    }
  }
  return record(owner, type, ttl, Buffer.concat(parts));
}

/** The same record with another time to live, in seconds. */
export function withTtl(record: ResourceRecord, ttl: number): ResourceRecord {
  return record.ttl === ttl ? record : { ...record, ttl };
}
