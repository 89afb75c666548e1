import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import { type Name, nameKey } from "#wire/dns/name";
import { reverseName } from "#wire/dns/reverse";

/** The names of a hosts file, both ways. */
export interface HostsTable {
  readonly byName: ReadonlyMap<Name, readonly Ip[]>;
  readonly hasWildcards: boolean;
  /** By the reverse name of the address, as questions spell it. */
  readonly byReverse: ReadonlyMap<Name, readonly Name[]>;
}

/** Reads lines of `address name...`; what cannot be read is skipped, as resolvers do. */
export function parseHostsTable(text: string): HostsTable {
  const byName = new Map<Name, Ip[]>();
  const byReverse = new Map<Name, Name[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = (line.split("#", 1)[0] ?? "").trim().split(/\s+/);
    // A zone such as fe80::1%eth0 means nothing to anybody else.
    const plain = address.split("%", 1)[0] ?? "";
    if (!isIp(plain)) continue;
    const ip = parseIp(plain);
    for (const name of names.map(nameKey)) {
      push(byName, name, ip);
      if (!name.startsWith("*.")) push(byReverse, reverseName(ip), name);
    }
  }
  const hasWildcards = [...byName.keys()].some((name) => name.startsWith("*."));
  return { byName, hasWildcards, byReverse };
}

/** The addresses of a name; `*` in the table stands for one first label. Undefined: the name is not there. */
export function lookupHost({ byName, hasWildcards }: HostsTable, name: Name): readonly Ip[] | undefined {
  return (
    byName.get(name) ?? (hasWildcards ? byName.get(`*.${name.slice(name.indexOf(".") + 1)}`) : undefined)
  );
}

export function ofFamily(ips: readonly Ip[], family: 4 | 6): Ip[] {
  return ips.filter((ip) => familyOf(ip) === family);
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key) ?? [];
  if (!values.includes(value)) values.push(value);
  map.set(key, values);
}
