import { type Ip, isIp, isLinkLocal, isLoopback, isMulticast, parseIp } from "#addr/ip";
import { printable } from "#telemetry/printable";

/** Longer than any list of a machine's addresses. */
const MOST_CHARACTERS = 4096;
const MOST_VALUES = 32;
const SHOWN_CHARACTERS = 60;
/** As RFC 1123 has it, and underscores, which hosts have in spite of it. */
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?(?:\.[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?)*$/i;

/** What of a list is good, each once and in its order, and what is wrong with the rest. */
export interface ListReading<T extends string> {
  readonly values: readonly T[];
  readonly problems: readonly string[];
}

/** Reads a comma-separated list that somebody wrote: bounded, whatever it is. Gaps mean nothing. */
export function readList<T extends string>(
  text: string,
  read: (item: string) => T | string[],
): ListReading<T> {
  if (text.length > MOST_CHARACTERS)
    return {
      values: [],
      problems: [`${text.length} characters are too long; it may have ${MOST_CHARACTERS}`],
    };
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  const values = new Set<T>();
  const problems: string[] = [];
  for (const item of items.slice(0, MOST_VALUES)) {
    const value = read(item);
    if (typeof value === "string") values.add(value);
    else problems.push(...value);
  }
  if (items.length > MOST_VALUES) problems.push(`of ${items.length} values the first ${MOST_VALUES} count`);
  return { values: [...values], problems };
}

/** An address that a machine can have. */
export function readNodeIp(text: string): Ip | string[] {
  if (!isIp(text)) return [`${shown(text)} is not an IP address`];
  const ip = parseIp(text);
  const kind = kindOf(ip);
  return kind === undefined ? ip : [`${ip} is ${kind} address, which no other machine can reach`];
}

export function readHostName(text: string): string | string[] {
  return HOST_NAME.test(text) ? text : [`${shown(text)} is not a host name`];
}

/** Somebody's text for people to read: one line, and short. */
export function shown(text: string): string {
  const short = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
  return `"${printable(short)}"`;
}

function kindOf(ip: Ip): string | undefined {
  if (ip === "0.0.0.0" || ip === "::") return "the unspecified";
  if (isLoopback(ip)) return "a loopback";
  if (isLinkLocal(ip)) return "a link-local";
  return isMulticast(ip) ? "a multicast" : undefined;
}
