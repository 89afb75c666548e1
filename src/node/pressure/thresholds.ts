import { formatQuantity, parseQuantity } from "#kube/quantity";
import { wholeUnits } from "../cgroup/amounts.ts";
import { isSignal, type Signal } from "./signals.ts";

/** From when on the node is short of something. */
export interface Threshold {
  readonly signal: Signal;
  /** What must stay free: a quantity, or a share of the capacity such as `5%`. */
  readonly value: string;
  /** How long it may be short before a pod goes; 0 is a hard threshold, which also gives that pod no time. */
  readonly graceMs: number;
  /** How much more than the value must be free again before the node counts as well. */
  readonly minReclaim?: string;
}

export interface EvictionSettings {
  readonly thresholds: readonly Threshold[];
  /** How long the Node's condition stays after the last time it was true. */
  readonly transitionMs: number;
  /** The most that a pod is given to end when a soft threshold ends it. */
  readonly maxPodGraceSeconds: number;
}

/** What arguments say, by signal. */
export interface EvictionStatements {
  readonly hard: Readonly<Record<string, string>>;
  readonly soft: Readonly<Record<string, string>>;
  readonly softGraceMs: Readonly<Record<string, number>>;
  readonly minReclaim: Readonly<Record<string, string>>;
}

const K3S_KEPT = { "imagefs.available": "5%", "nodefs.available": "5%" };
const K3S_RECLAIM = { "imagefs.available": "10%", "nodefs.available": "10%" };
const TRANSITION_MS = 300_000;

/** What K3s sets: a twentieth of the disk stays free, and once it is short, three times that. */
export const K3S_STATEMENTS: EvictionStatements = {
  ...{ hard: K3S_KEPT, soft: {}, softGraceMs: {}, minReclaim: K3S_RECLAIM },
};

export const DEFAULT_EVICTION_SETTINGS: EvictionSettings = {
  ...{ thresholds: thresholdsOf(K3S_STATEMENTS), transitionMs: TRANSITION_MS, maxPodGraceSeconds: 0 },
};

/** The thresholds that statements make; where memory must stay free, it must be so within what pods may use, too.
 *  @throws {Error} that says which one is wrong. @see kubelet eviction/helpers.go ParseThresholdConfig */
export function thresholdsOf({
  hard,
  soft,
  softGraceMs,
  minReclaim,
}: EvictionStatements): readonly Threshold[] {
  for (const signal of [...Object.keys(softGraceMs), ...Object.keys(minReclaim)]) known(signal);
  const reclaim = (signal: Signal) => {
    const amount = minReclaim[signal];
    if (amount !== undefined) checkAmount(signal, amount);
    return amount === undefined ? {} : { minReclaim: amount };
  };
  const hards = read(hard).map(({ signal, value }) => ({ signal, value, graceMs: 0, ...reclaim(signal) }));
  const softs = read(soft).map(({ signal, value }) => {
    const graceMs = softGraceMs[signal];
    if (graceMs === undefined)
      throw new Error(`grace period must be specified for the soft eviction threshold ${signal}`);
    return { signal, value, graceMs, ...reclaim(signal) };
  });
  const ofPods = hards
    .filter(({ signal }) => signal === "memory.available")
    .map((threshold) => ({ ...threshold, signal: "allocatableMemory.available" as const }));
  return [...hards, ...softs, ...ofPods];
}

/** None of it and all of it are no thresholds. */
function read(statements: Readonly<Record<string, string>>) {
  return Object.entries(statements).flatMap(([name, value]) => {
    const signal = known(name);
    if (value === "0%" || value === "100%") return [];
    if (checkAmount(signal, value) === 0)
      throw new Error(`eviction threshold ${signal} must be positive: ${value}`);
    return [{ signal, value }];
  });
}

function known(name: string): Signal {
  if (!isSignal(name)) throw new Error(`unsupported eviction signal ${name}`);
  return name;
}

/** @returns the amount's size, in whatever unit it has */
function checkAmount(signal: Signal, text: string): number {
  const share = shareOf(text);
  if (share !== undefined) {
    if (share > 1) throw new Error(`eviction percentage threshold ${signal} must be <= 100%: ${text}`);
    return share;
  }
  const quantity = parseQuantity(text);
  if (!quantity || quantity.nanos < 0n)
    throw new Error(`${JSON.stringify(text)} is not such as 100Mi or 5%, for ${signal}`);
  return Number(quantity.nanos);
}

/** A part of one; undefined for what is no percentage. It is a float of 32 bits, as the kubelet reckons it. */
function shareOf(text: string): number | undefined {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  return percent === undefined ? undefined : Math.fround(Math.fround(Number(percent)) / 100);
}

/** How much of a capacity an amount is, in whole units. */
export function unitsOf(amount: string, capacity: number): number {
  const share = shareOf(amount);
  if (share !== undefined) return Math.trunc(capacity * share);
  const quantity = parseQuantity(amount);
  return quantity ? wholeUnits(quantity) : 0;
}

/** As a kubelet writes what it counted. */
export function written(units: number, format: "binary" | "decimal"): string {
  return formatQuantity({ nanos: BigInt(Math.trunc(units)) * 1_000_000_000n, format });
}

/** A threshold's amount, as a kubelet writes it: as it was given, or counted. */
export function writtenValue(value: string, capacity: number): string {
  const quantity = parseQuantity(value);
  return quantity ? formatQuantity(quantity) : written(unitsOf(value, capacity), "binary");
}
