/** The chains of an old iptables table, and the table without some of its rules. */
import type { Family } from "#addr/family";
import { textOf } from "./netlink-attribute.ts";
import { WireError } from "./wire-error.ts";
import {
  XT_EXTENSION_BYTES,
  XT_HOOKS,
  XT_LAYOUT,
  type XtEntry,
  type XtExtension,
  type XtHook,
  type XtTableInfo,
} from "./xtables-table.ts";

export type XtAction =
  | { readonly kind: "accept" | "drop" | "return" | "queue" }
  /** A rule without a target: it only counts. */
  | { readonly kind: "none" }
  | { readonly kind: "jump" | "goto"; readonly chain: string }
  | { readonly kind: "extension"; readonly target: XtExtension };

export interface XtRule {
  readonly entry: XtEntry;
  readonly action: XtAction;
}

export interface XtChain {
  readonly name: string;
  /** Of a chain that packets come to by themselves. */
  readonly base: { readonly hook: XtHook; readonly policy: "accept" | "drop" } | undefined;
  readonly rules: readonly XtRule[];
  /** All entries that make the chain: its name, its rules, its end. */
  readonly entries: readonly XtEntry[];
}

/** Verdicts below zero are `-verdict - 1`; others are a place to go on at. */
const VERDICTS = { [-1]: "drop", [-2]: "accept", [-4]: "queue", [-5]: "return" } as const;
const ERROR_TARGET = "ERROR";

/** Cuts the rules into chains. @throws {WireError} when they make none */
export function chainsOf(info: XtTableInfo, entries: readonly XtEntry[]): readonly XtChain[] {
  const starts = new Map<number, string>();
  for (const [i, hook] of XT_HOOKS.entries())
    if ((info.validHooks & (1 << i)) !== 0) starts.set(info.hookEntries[i] ?? -1, hook);
  const pieces: { name: string; head: XtEntry | undefined; entries: XtEntry[] }[] = [];
  for (const entry of entries) {
    const hook = starts.get(entry.offset);
    if (entry.target.name === ERROR_TARGET)
      pieces.push({ name: textOf(entry.target.data), head: entry, entries: [] });
    else if (hook !== undefined) pieces.push({ name: hook, head: undefined, entries: [entry] });
    else if (pieces.length === 0) throw new WireError("iptables table", "its first rule is in no chain");
    else pieces.at(-1)?.entries.push(entry);
  }
  // The last one only marks the end of the table.
  if (pieces.at(-1)?.head !== undefined) pieces.pop();
  const places = new Map(pieces.map(({ name, entries: [first] }) => [first?.offset ?? -1, name]));
  return pieces.map(({ name, head, entries: all }) => ({
    name,
    base: head === undefined ? baseOf(name, all.at(-1)) : undefined,
    rules: all.slice(0, -1).map((entry) => ({ entry, action: actionOf(entry, places) })),
    entries: head === undefined ? all : [head, ...all],
  }));
}

function baseOf(name: string, last: XtEntry | undefined): XtChain["base"] {
  const hook = XT_HOOKS.find((each) => each === name);
  if (hook === undefined || last === undefined) return undefined;
  return { hook, policy: actionOf(last, new Map()).kind === "drop" ? "drop" : "accept" };
}

function actionOf(entry: XtEntry, places: ReadonlyMap<number, string>): XtAction {
  const { target, isGoto, offset, bytes } = entry;
  if (target.name !== "") return { kind: "extension", target };
  const verdict = verdictOf(target);
  const plain = (VERDICTS as Readonly<Record<number, (typeof VERDICTS)[keyof typeof VERDICTS]>>)[verdict];
  if (plain !== undefined) return { kind: plain };
  if (verdict === offset + bytes.length) return { kind: "none" };
  const chain = places.get(verdict);
  if (chain === undefined)
    throw new WireError("iptables rule", `a jump to ${verdict}, where no chain begins`);
  return { kind: isGoto ? "goto" : "jump", chain };
}

function verdictOf({ data }: XtExtension): number {
  if (data.length < 4) throw new WireError("iptables verdict", `${data.length} bytes`);
  return new DataView(data.buffer, data.byteOffset, 4).getInt32(0, true);
}

/** A table as it is to be put into the kernel. */
export interface XtReplacement {
  readonly info: Omit<XtTableInfo, "bytes">;
  readonly bytes: Uint8Array;
  /** How many rules the table has that it takes the place of; the kernel refuses when it is another number by then. */
  readonly replaces: number;
  /** Packets and bytes of each rule so far, 16 bytes each. */
  readonly counters: Uint8Array;
}

/** The table without the entries at the places in `gone`; every other one keeps its bytes, but for where its jump leads. */
export function withoutEntries(
  family: Family,
  info: XtTableInfo,
  entries: readonly XtEntry[],
  gone: ReadonlySet<number>,
): XtReplacement {
  const kept = entries.filter((entry) => !gone.has(entry.offset));
  const places = new Map<number, number>();
  let at = 0;
  for (const { offset, bytes } of entries) {
    places.set(offset, at);
    if (!gone.has(offset)) at += bytes.length;
  }
  const moved = (place: number) => places.get(place) ?? place;
  return {
    info: {
      name: info.name,
      validHooks: info.validHooks,
      hookEntries: info.hookEntries.map(moved),
      underflows: info.underflows.map(moved),
      entries: kept.length,
    },
    bytes: Buffer.concat(kept.map((entry) => relinked(family, entry, moved))),
    replaces: entries.length,
    counters: Buffer.concat(
      kept.map(({ bytes }) => bytes.subarray(XT_LAYOUT[family].counters, XT_LAYOUT[family].counters + 16)),
    ),
  };
}

function relinked(family: Family, entry: XtEntry, moved: (place: number) => number): Uint8Array {
  const { target } = entry;
  if (target.name !== "" || verdictOf(target) < 0) return entry.bytes;
  const bytes = entry.bytes.slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const targetAt = view.getUint16(XT_LAYOUT[family].targetOffset, true);
  view.setInt32(targetAt + XT_EXTENSION_BYTES, moved(verdictOf(target)), true);
  return bytes;
}

const REPLACE = {
  hooks: 32,
  entries: 36,
  bytes: 40,
  starts: 44,
  underflows: 64,
  counters: 84,
  pointer: 88,
  end: 96,
};

/** Writes `struct ipt_replace`; the kernel puts the old counters at `countersAt`. */
export function encodeReplace({ info, bytes, replaces }: XtReplacement, countersAt: bigint): Uint8Array {
  const out = new Uint8Array(REPLACE.end + bytes.length);
  const view = new DataView(out.buffer);
  out.set(new TextEncoder().encode(info.name));
  view.setUint32(REPLACE.hooks, info.validHooks, true);
  view.setUint32(REPLACE.entries, info.entries, true);
  view.setUint32(REPLACE.bytes, bytes.length, true);
  for (const i of XT_HOOKS.keys()) {
    view.setUint32(REPLACE.starts + 4 * i, info.hookEntries[i] ?? 0, true);
    view.setUint32(REPLACE.underflows + 4 * i, info.underflows[i] ?? 0, true);
  }
  view.setUint32(REPLACE.counters, replaces, true);
  view.setBigUint64(REPLACE.pointer, countersAt, true);
  out.set(bytes, REPLACE.end);
  return out;
}

/** Writes `struct xt_counters_info`: what is to be added to each rule's counters. */
export function encodeCounters({ info, counters }: XtReplacement): Uint8Array {
  const out = new Uint8Array(40 + counters.length);
  out.set(new TextEncoder().encode(info.name));
  new DataView(out.buffer).setUint32(32, info.entries, true);
  out.set(counters, 40);
  return out;
}
