/** The sets and maps of the program: what their keys and values are made of. Declarations, element text and element bytes
 *  are all made from this table. */
import { FAMILY, type Family } from "#addr/family";

export type Field = "address" | "range" | "direction" | "protocol" | "port" | "index" | "mark";

export interface SetShape {
  readonly key: readonly Field[];
  readonly data?: readonly Field[] | "verdict";
  readonly why: string;
}

const FRONTEND = ["address", "protocol", "port"] as const;
const BACKEND = ["address", "port"] as const;

export const SETS = {
  program: { key: ["mark"], why: "the hash of this program, so that a restart knows its own" },
  "cluster-ips": { key: ["address"], why: "ClusterIPs in use: an undefined port there is refused" },
  // Beside a range stands what is always the same: ranges alone are kept by another part of the kernel, in another form.
  "service-ranges": {
    key: ["range", "direction"],
    why: "where ClusterIPs come from: others there are dropped",
  },
  "pod-ranges": { key: ["range", "direction"], why: "the pod networks of this node" },
  "cluster-nodes": { key: ["address"], why: "addresses of the cluster's nodes, which are no strangers" },
  frontends: { key: FRONTEND, data: "verdict", why: "address, protocol, port: to the chain for its count" },
  endpoints: { key: [...FRONTEND, "index"], data: BACKEND, why: "the endpoints of each frontend, numbered" },
  "local-frontends": { key: FRONTEND, data: "verdict", why: "the same for external policy Local" },
  "near-frontends": {
    key: FRONTEND,
    data: "verdict",
    why: "for strangers, where policy Cluster has one here",
  },
  "local-endpoints": {
    key: [...FRONTEND, "index"],
    data: BACKEND,
    why: "the endpoints on this node for both",
  },
  "no-endpoints": { key: FRONTEND, data: "verdict", why: "frontends that nobody answers" },
  hairpin: {
    key: ["address", "address"],
    why: "local endpoints, which may reach themselves through a service",
  },
  guarded: { key: FRONTEND, why: "load balancer addresses with source ranges" },
  "allowed-sources": { key: [...FRONTEND, "range"], why: "those ranges" },
  "sticky-ids": { key: FRONTEND, data: ["mark"], why: "session affinity: the group of a frontend" },
  "sticky-local-ids": { key: FRONTEND, data: ["mark"], why: "the same among endpoints on this node" },
  "sticky-choices": { key: ["mark", "index"], data: ["mark"], why: "group and number: a slot" },
  "sticky-slots": { key: ["mark"], data: BACKEND, why: "slot: its endpoint" },
  "sticky-live": { key: ["mark"], why: "slots that still have one" },
} as const satisfies Record<string, SetShape>;

export type SetName = keyof typeof SETS;
export const SET_NAMES = Object.keys(SETS) as readonly SetName[];

/** Fields as `type`s; `index` has no such name, so sets with one are declared by example (`typeof`). Data is then given by
 *  example too, and its port by `ct original proto-dst`: libnftables 1.0.6 reads `th dport` back as a payload that
 *  conflicts with any protocol match, and refuses later rules that use the map. */
function typeName(field: Field, family: Family): string {
  const names = {
    direction: "ct_dir",
    protocol: "inet_proto",
    port: "inet_service",
    mark: "mark",
    index: "",
  } as const;
  return field === "address" || field === "range" ? FAMILY[family].addr : names[field];
}

function example(field: Field, family: Family): string {
  const { nft } = FAMILY[family];
  const names = {
    address: `${nft} daddr`,
    range: `${nft} saddr`,
    direction: "ct direction",
    protocol: "meta l4proto",
    port: "th dport",
    index: "numgen random mod 2",
    mark: "meta mark",
  } as const;
  return names[field];
}

/** `map endpoints { typeof ... : ...; }` */
export function declareSet(name: SetName, family: Family): string {
  const shape: SetShape = SETS[name];
  const byExample = shape.key.includes("index");
  const word = (field: Field) => (byExample ? example(field, family) : typeName(field, family));
  const key = shape.key.map(word).join(" . ");
  const data = declareData(shape, (field) =>
    byExample && field === "port" ? "ct original proto-dst" : word(field),
  );
  const flags = shape.key.includes("range") ? " flags interval;" : "";
  return `${data === "" ? "set" : "map"} ${name} { ${byExample ? "typeof" : "type"} ${key}${data};${flags} comment "${shape.why}"; }`;
}

function declareData({ data }: SetShape, word: (field: Field) => string): string {
  if (data === undefined) return "";
  return ` : ${data === "verdict" ? "verdict" : data.map(word).join(" . ")}`;
}
