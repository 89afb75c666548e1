/** Of a kubelet's arguments those about images: when they are removed, and how many are pulled at a time. */
import { type CollectionPolicy, DEFAULT_COLLECTION } from "#node/image/image-collector";
import { DEFAULT_PULL_LIMITS, type PullLimits } from "#node/image/pulls";
import type { ComponentArgs } from "./component-args.ts";
import { parseDuration } from "./duration.ts";

export interface ImageArgs {
  readonly collection: CollectionPolicy;
  readonly pullLimits: PullLimits;
}

export function readImageArgs(args: ComponentArgs): ImageArgs {
  const high = args.parse("image-gc-high-threshold", parsePercent) ?? DEFAULT_COLLECTION.high;
  const low = args.parse("image-gc-low-threshold", (text) => below(parsePercent(text), high));
  const isOneAtATime = args.flag("serialize-image-pulls") ?? false;
  const most = args.parse("max-parallel-image-pulls", parseWhole) ?? DEFAULT_PULL_LIMITS.atOnce;
  return {
    collection: {
      ...DEFAULT_COLLECTION,
      high,
      low: low ?? Math.min(DEFAULT_COLLECTION.low, high),
      minAgeMs: args.parse("minimum-image-ttl-duration", parseDuration) ?? DEFAULT_COLLECTION.minAgeMs,
    },
    pullLimits: {
      atOnce: isOneAtATime ? 1 : most,
      perSecond: args.parse("registry-qps", parseWhole) ?? DEFAULT_PULL_LIMITS.perSecond,
      burst: args.parse("registry-burst", parseWhole) ?? DEFAULT_PULL_LIMITS.burst,
    },
  };
}

function parsePercent(text: string): number {
  const percent = parseWhole(text);
  if (percent > 100) throw new Error(`${JSON.stringify(text)} is above 100 percent`);
  return percent;
}

function below(low: number, high: number): number {
  if (low >= high && high > 0) throw new Error(`${low} is not below the image-gc-high-threshold of ${high}`);
  return low;
}

function parseWhole(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new Error(`${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}
