import type { Ip } from "#addr/ip";
import type { Exchange, Waiting } from "./exchange.ts";
import type { ProbeTarget } from "./model.ts";

/** A packet that fits everywhere. */
const SMALL_BYTES = 100;
const ATTEMPTS = 3;

/** What one look at a peer found. */
export type Sighting =
  | { readonly kind: "silent" }
  | {
      readonly kind: "seen";
      /** The address that answered. */
      readonly at: Ip;
      /** Absent when it does not answer echoes, but datagrams. */
      readonly roundTripUs?: number;
      readonly mtuBytes?: number;
    };

export interface LookOptions extends Waiting {
  readonly exchange: Pick<Exchange, "echo" | "datagram">;
  /** What got through last time, where that was less than it should. */
  readonly knownMtuBytes?: number | undefined;
}

/** Asks with a packet as large as may be, so that on a healthy way one packet tells all; only then with small ones, and for what
 *  fits in between. */
export async function lookAt(target: ProbeTarget, options: LookOptions): Promise<Sighting> {
  for (const at of target.to) {
    const full = await roundTrip(at, target.mtuBytes, 1, options);
    if (full !== undefined) return { kind: "seen", at, roundTripUs: full, mtuBytes: target.mtuBytes };
    const small = await roundTrip(at, SMALL_BYTES, ATTEMPTS, options);
    if (small !== undefined)
      return {
        kind: "seen",
        at,
        roundTripUs: small,
        mtuBytes: await fittingBytes(at, target.mtuBytes, options),
      };
  }
  // A packet filter that takes echoes may let this through.
  const [first] = target.to;
  if (first !== undefined && (await options.exchange.datagram(first, "complete", options)))
    return { kind: "seen", at: first };
  return { kind: "silent" };
}

/** The largest packet that `at` answers, by halving. */
async function fittingBytes(at: Ip, mtuBytes: number, options: LookOptions): Promise<number> {
  const { exchange, knownMtuBytes } = options;
  let passes = SMALL_BYTES;
  let fails = mtuBytes + 1;
  // The one that got lost may just have been unlucky; and what got through last time is likely still the answer.
  let next = mtuBytes;
  while (fails - passes > 1) {
    const outcome = await answered(at, next, ATTEMPTS - 1, { ...options, exchange });
    if (outcome === true) passes = next;
    else fails = next;
    // What a router says is checked like any other guess.
    const hint = typeof outcome === "number" ? outcome : knownMtuBytes;
    next = guess(passes, fails, hint);
  }
  return passes;
}

/** The hint, then one more than that to confirm it, else the middle. */
function guess(passes: number, fails: number, hint: number | undefined): number {
  if (hint !== undefined && hint > passes && hint < fails) return hint;
  if (hint !== undefined && hint === passes) return hint + 1;
  return (passes + fails) >> 1;
}

/** Whether one of `attempts` is answered, or what a router says would fit. */
async function answered(
  at: Ip,
  packetBytes: number,
  attempts: number,
  { exchange, signal }: LookOptions,
): Promise<boolean | number> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const outcome = await exchange.echo(at, packetBytes, { signal });
    if (outcome.kind === "answered") return true;
    if (outcome.kind === "too-big") return outcome.mtuBytes;
  }
  return false;
}

/** Microseconds of the first of `attempts` that is answered. */
async function roundTrip(
  at: Ip,
  packetBytes: number,
  attempts: number,
  { exchange, signal }: LookOptions,
): Promise<number | undefined> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const outcome = await exchange.echo(at, packetBytes, { signal });
    if (outcome.kind === "answered") return outcome.roundTripUs;
  }
  return undefined;
}
