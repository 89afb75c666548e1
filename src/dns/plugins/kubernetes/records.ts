import { familyOf } from "#addr/ip";
import { type Name, nameKey } from "#wire/dns/name";
import { TYPE } from "#wire/dns/numbers";
import { addressRecord, type ResourceRecord, srvRecord } from "#wire/dns/record";
import type { Sections } from "../../reply.ts";
import type { Target } from "./targets.ts";

/** A or AAAA records of the targets, each address once. */
export function addressSections(
  targets: readonly Target[],
  owner: Name,
  type: number,
  ttl: number,
): Sections {
  const family = type === TYPE.A ? 4 : 6;
  const ips = new Set(targets.map(({ ip }) => ip).filter((ip) => familyOf(ip) === family));
  return { answers: [...ips].map((ip) => addressRecord(owner, ttl, ip)) };
}

/** SRV records of the targets, and their addresses beside them. The weight shares 100 among all, before doubles go. */
export function srvSections(targets: readonly Target[], owner: Name, ttl: number): Sections {
  const weight = Math.max(1, Math.floor(100 / targets.length));
  const answers = new Map<string, ResourceRecord>();
  const additional = new Map<string, ResourceRecord>();
  for (const { ip, port, host } of targets) {
    if (port === -1) continue;
    const target = nameKey(host);
    answers.set(`${target} ${port}`, srvRecord(owner, ttl, { priority: 0, weight, port, target }));
    additional.set(`${target} ${ip}`, addressRecord(target, ttl, ip));
  }
  return { answers: [...answers.values()], additional: [...additional.values()] };
}
