import type { LimitRangeItem } from "#kube/generated/types";
import type { Amounts } from "#kube/pod-amounts";
import { formatQuantity, parseQuantity, type Quantity } from "#kube/quantity";

/** Up to here amounts are compared in thousandths. */
const LARGEST_MILLI = 9_223_372_036_854_775n * 1_000_000_000n;

/** What is asked for, and at most used. */
export interface Usage {
  readonly requests: Amounts;
  readonly limits: Amounts;
}

/** What of a usage lies outside an item's bounds, in kube-apiserver's words. */
export function boundsProblems(item: LimitRangeItem, usage: Usage): readonly string[] {
  const { type, min, max, maxLimitRequestRatio } = item;
  return [
    ...each(min, (name, bound) => belowMinimum({ type, name, bound }, usage)),
    ...each(max, (name, bound) => aboveMaximum({ type, name, bound }, usage)),
    ...each(maxLimitRequestRatio, (name, bound) => aboveRatio({ type, name, bound }, usage)),
  ];
}

/** A claim only asks: its request alone is bounded. */
export function requestProblems({ type, min, max }: LimitRangeItem, requests: Amounts): readonly string[] {
  const usage: Usage = { requests, limits: new Map() };
  return [
    ...each(min, (name, bound) => belowMinimum({ type, name, bound }, usage)),
    ...each(max, (name, bound) => {
      const request = requests.get(name);
      const what = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`;
      if (request === undefined) return `${what}.  No request is specified`;
      return request.nanos > bound.nanos ? `${what}, but request is ${formatQuantity(request)}` : undefined;
    }),
  ];
}

function each(
  bounds: Readonly<Record<string, string>> | undefined,
  check: (name: string, bound: Quantity) => string | undefined,
): readonly string[] {
  return Object.entries(bounds ?? {}).flatMap(([name, text]) => {
    const bound = parseQuantity(String(text));
    return (bound && check(name, bound)) ?? [];
  });
}

interface Bound {
  readonly type: string;
  readonly name: string;
  readonly bound: Quantity;
}

function belowMinimum({ type, name, bound }: Bound, { requests, limits }: Usage): string | undefined {
  const [request, limit] = [requests.get(name), limits.get(name)];
  const what = `minimum ${name} usage per ${type} is ${formatQuantity(bound)}`;
  if (request === undefined) return `${what}.  No request is specified`;
  if (request.nanos < bound.nanos) return `${what}, but request is ${formatQuantity(request)}`;
  return limit !== undefined && limit.nanos < bound.nanos
    ? `${what}, but limit is ${formatQuantity(limit)}`
    : undefined;
}

function aboveMaximum({ type, name, bound }: Bound, { requests, limits }: Usage): string | undefined {
  const [request, limit] = [requests.get(name), limits.get(name)];
  const what = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`;
  if (limit === undefined) return `${what}.  No limit is specified`;
  if (limit.nanos > bound.nanos) return `${what}, but limit is ${formatQuantity(limit)}`;
  return request !== undefined && request.nanos > bound.nanos
    ? `${what}, but request is ${formatQuantity(request)}`
    : undefined;
}

function aboveRatio({ type, name, bound }: Bound, { requests, limits }: Usage): string | undefined {
  const [request, limit] = [requests.get(name)?.nanos ?? 0n, limits.get(name)?.nanos ?? 0n];
  const what = `${name} max limit to request ratio per ${type} is ${formatQuantity(bound)}`;
  if (request === 0n) return `${what}, but no request is specified or request is 0`;
  if (limit === 0n) return `${what}, but no limit is specified or limit is 0`;
  const ratio = Number(limit) / Number(request);
  const most =
    bound.nanos <= LARGEST_MILLI ? Number(bound.nanos) / 1e9 : Number(bound.nanos / 1_000_000_000n);
  return ratio > most ? `${what}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
