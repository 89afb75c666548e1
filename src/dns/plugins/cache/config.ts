import { parseDuration } from "#life/duration";
import type { Name } from "#wire/dns/name";
import { CorefileFault } from "../../corefile/fault.ts";
import type { Directive } from "../../corefile/parse.ts";
import { type BlockPlace, unknownProperty, wholeNumber } from "../../plugin.ts";
import { zonesOr } from "../../zones-argument.ts";

/** How one kind of answer is kept; times in seconds. */
export interface Keeping {
  readonly capacity: number;
  readonly maxTtl: number;
  readonly minTtl: number;
  /** Names under these zones are not kept. */
  readonly disabled: readonly Name[];
}

export interface CacheConfig {
  readonly zones: readonly Name[];
  readonly success: Keeping;
  readonly denial: Keeping;
  /** How long SERVFAIL and NOTIMP are kept. */
  readonly servfailSeconds: number;
  readonly prefetch:
    | { readonly amount: number; readonly withinMs: number; readonly percent: number }
    | undefined;
  readonly stale: { readonly forSeconds: number; readonly asksFirst: boolean } | undefined;
  readonly keepsTtl: boolean;
}

type Draft = { -readonly [K in keyof CacheConfig]: CacheConfig[K] };

const CAPACITY = 9984;
const MAX_SECONDS = 2 ** 31 - 1;

export function parseCache(directive: Directive, { zones }: BlockPlace): CacheConfig {
  const args = [...directive.args];
  const ttl = /^\d+$/.test(args[0] ?? "") ? wholeNumber(directive, args.shift(), 1, MAX_SECONDS) : undefined;
  const draft: Draft = {
    zones: zonesOr(args, directive, zones),
    success: { capacity: CAPACITY, maxTtl: ttl ?? 3600, minTtl: 5, disabled: [] },
    denial: { capacity: CAPACITY, maxTtl: ttl ?? 1800, minTtl: 5, disabled: [] },
    servfailSeconds: 5,
    prefetch: undefined,
    stale: undefined,
    keepsTtl: false,
  };
  for (const line of directive.body) readLine(directive, line, draft);
  return draft;
}

function readLine(directive: Directive, line: Directive, draft: Draft): void {
  switch (line.name) {
    case "success":
    case "denial":
      draft[line.name] = parseKeeping(line, draft[line.name]);
      return;
    case "prefetch":
      draft.prefetch = parsePrefetch(line);
      return;
    case "serve_stale":
      draft.stale = parseStale(line);
      return;
    case "servfail":
      draft.servfailSeconds = secondsOf(line, line.args[0]);
      if (draft.servfailSeconds > 300)
        throw new CorefileFault(line, "caching SERVFAIL for more than 5 minutes is not permitted");
      return;
    case "disable": {
      const [kind, ...zones] = line.args;
      if (kind !== "success" && kind !== "denial")
        throw new CorefileFault(line, "disable takes success or denial");
      draft[kind] = { ...draft[kind], disabled: zonesOr(zones, line, draft.zones) };
      return;
    }
    case "keepttl":
      draft.keepsTtl = true;
      return;
    default:
      throw unknownProperty(directive, line);
  }
}

function parseKeeping(line: Directive, before: Keeping): Keeping {
  const [capacity, maxTtl, minTtl] = line.args;
  if (capacity === undefined) throw new CorefileFault(line, `${line.name} needs a capacity`);
  return {
    ...before,
    capacity: Math.max(1024, wholeNumber(line, capacity, 0, MAX_SECONDS)),
    ...(maxTtl === undefined ? {} : { maxTtl: wholeNumber(line, maxTtl, 0, MAX_SECONDS) }),
    ...(minTtl === undefined ? {} : { minTtl: wholeNumber(line, minTtl, 0, MAX_SECONDS) }),
  };
}

function parsePrefetch(line: Directive): CacheConfig["prefetch"] {
  const [amount, duration = "1m", percent = "10%"] = line.args;
  const withinMs = parseDuration(duration);
  if (withinMs === undefined) throw new CorefileFault(line, `'${duration}' is not a duration`);
  if (!/^\d+%$/.test(percent)) throw new CorefileFault(line, `'${percent}' is not a percentage`);
  return {
    amount: wholeNumber(line, amount, 0, MAX_SECONDS),
    withinMs,
    percent: wholeNumber(line, percent.slice(0, -1), 10, 90),
  };
}

function parseStale(line: Directive): CacheConfig["stale"] {
  const [duration = "1h", mode = "immediate"] = line.args;
  if (mode !== "immediate" && mode !== "verify")
    throw new CorefileFault(line, `serve_stale is immediate or verify, not '${mode}'`);
  return { forSeconds: secondsOf(line, duration), asksFirst: mode === "verify" };
}

function secondsOf(line: Directive, text: string | undefined): number {
  const ms = parseDuration(text ?? "");
  if (ms === undefined || ms < 0) throw new CorefileFault(line, `'${text ?? ""}' is not a duration`);
  return Math.floor(ms / 1000);
}
