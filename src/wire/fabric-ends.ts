/** Our one word beside flannel's on a Node: every way it can be reached, where flannel can say one only. */
import { FAMILIES, type Family, type PerFamily } from "#addr/family";
import {
  type AnnotationProblem,
  type Annotations,
  FLANNEL_PREFIX,
  FLANNEL_WORDS,
  type FlannelEnds,
  type FlannelKind,
  parsePublicIp,
} from "./flannel-annotations.ts";
import { checkVxlanData, checkWireguardData } from "./flannel-backend-data.ts";

export const FABRIC_ENDS_KEY = "fabric.twill.io/ends";

/** Longer than any that is meant: three kinds in two families come to about 1 100. */
const MAX_BYTES = 4_096;
const KINDS: readonly FlannelKind[] = ["vxlan", "host-gw", "wireguard"];

export type EndsByKind = { readonly [K in FlannelKind]?: PerFamily<FlannelEnds[K]> };

export interface FabricEnds {
  /** What the node is set up with. */
  readonly primary: FlannelKind;
  readonly ends: EndsByKind;
}

export type FabricEndsReading =
  | { readonly kind: "absent" }
  /** Flannel has written other annotations since: it runs there now. */
  | { readonly kind: "stale" }
  | { readonly kind: "bad"; readonly problem: AnnotationProblem }
  | { readonly kind: "good"; readonly said: FabricEnds; readonly problems: readonly AnnotationProblem[] };

/** `flannel` are the annotations that are written with it, so that a reader sees whether they still belong together. */
export function formatFabricEnds({ primary, ends }: FabricEnds, flannel: Annotations): string {
  return JSON.stringify({
    primary,
    ends: Object.fromEntries(
      KINDS.flatMap((kind) => {
        const rows = FAMILIES.flatMap((family) => {
          const { publicIp, ...data } = ends[kind]?.[family] ?? {};
          return publicIp === undefined ? [] : [[family, { ip: publicIp, ...data }]];
        });
        return rows.length === 0 ? [] : [[kind, Object.fromEntries(rows)]];
      }),
    ),
    flannel: wordsOf(flannel),
  });
}

/** Reads a node's annotation as data from outside: nothing in it throws, and an end that is bad is reported and left out. */
export function readFabricEnds(annotations: Annotations): FabricEndsReading {
  const value = annotations[FABRIC_ENDS_KEY];
  if (value === undefined) return { kind: "absent" };
  const bad = (problem: string) =>
    ({ kind: "bad", problem: { key: FABRIC_ENDS_KEY, value, problem } }) as const;
  if (Buffer.byteLength(value) > MAX_BYTES) return bad(`longer than ${MAX_BYTES} bytes`);
  const { primary: word, ends, flannel } = parseObject(value) ?? {};
  const primary = KINDS.find((kind) => kind === word);
  const written = asObject(flannel);
  const byKind = asObject(ends);
  if (written === undefined || byKind === undefined) return bad("expected an object with ends and flannel");
  if (primary === undefined) return bad(`primary is none of ${KINDS.join(", ")}`);
  const now = wordsOf(annotations);
  if (FLANNEL_WORDS.some((word) => now[word] !== written[word])) return { kind: "stale" };
  const problems: AnnotationProblem[] = [];
  const read = readKinds(byKind, (problem) => problems.push({ key: FABRIC_ENDS_KEY, value, problem }));
  return { kind: "good", said: { primary, ends: read }, problems };
}

type Fields = { readonly [name: string]: unknown };

const READ: { readonly [K in FlannelKind]: (fields: Fields, family: Family) => FlannelEnds[K] } = {
  vxlan: ({ ip, vni, mac, port }, family) => ({
    publicIp: readIp(ip, family),
    ...checkVxlanData({ vni, mac }),
    ...(port === undefined ? {} : { port: readPort(port) }),
  }),
  "host-gw": ({ ip }, family) => ({ publicIp: readIp(ip, family) }),
  wireguard: ({ ip, publicKey, port = 0 }, family) => ({
    publicIp: readIp(ip, family),
    ...checkWireguardData({ publicKey, port }),
  }),
};

function readKinds(byKind: Fields, report: (problem: string) => void): EndsByKind {
  const read = <K extends FlannelKind>(kind: K) => {
    const ends: { 4?: FlannelEnds[K]; 6?: FlannelEnds[K] } = {};
    for (const family of FAMILIES) {
      const fields = asObject(asObject(byKind[kind])?.[family]);
      if (fields === undefined) continue;
      try {
        ends[family] = READ[kind](fields, family);
      } catch (error) {
        report(`${kind} over IPv${family}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return ends;
  };
  return { vxlan: read("vxlan"), "host-gw": read("host-gw"), wireguard: read("wireguard") };
}

function readIp(value: unknown, family: Family) {
  if (typeof value !== "string") throw new Error("ip is missing");
  return parsePublicIp(value, family);
}

/** Whoever has no port of its own set opens this one: so it is none that another service of the machine may have. */
function readPort(value: unknown): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1_024 || value > 65_535)
    throw new Error("port is not a number from 1024 to 65535");
  return value;
}

/** Flannel's words of these annotations, by the words. */
function wordsOf(annotations: Annotations): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(FLANNEL_WORDS.map((word) => [word, annotations[FLANNEL_PREFIX + word]]));
}

function parseObject(text: string): Fields | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Fields | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}
