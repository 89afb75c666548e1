import { type Cidr, parseCidr } from "#addr/cidr";
import { isIp, parseIp } from "#addr/ip";
import { AddrError } from "#addr/tagged";
import type { FieldError } from "../kind.ts";
import { invalid } from "./error.ts";

const IP_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
export const CIDR_RULE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/** What is wrong with the name of an IPAddress: it is the canonical text of one. */
export function ipProblems(text: string): readonly string[] {
  if (!isIp(text)) return [IP_RULE];
  return parseIp(text) === text ? [] : [`must be in canonical form (${JSON.stringify(parseIp(text))})`];
}

export function validIp(path: string, text: string): readonly FieldError[] {
  return isIp(text) ? [] : [invalid(path, text, IP_RULE)];
}

/** Addresses that mean the machine itself, the local link, or everyone on it. */
const SPECIAL: readonly { readonly is: (ip: string) => boolean; readonly why: (ip: string) => string }[] = [
  { is: (ip) => ip === "0.0.0.0" || ip === "::", why: (ip) => `may not be unspecified (${ip})` },
  {
    is: (ip) => ip.startsWith("127.") || ip === "::1",
    why: () => "may not be in the loopback range (127.0.0.0/8, ::1/128)",
  },
  {
    is: (ip) => ip.startsWith("169.254.") || /^fe[89ab]/i.test(ip),
    why: () => "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
  },
  {
    is: (ip) => ip.startsWith("224.0.0.") || /^ff02:/i.test(ip),
    why: () => "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
  },
];

/** An address that traffic can be sent to from anywhere. */
export function validEndpointIp(path: string, text: string): readonly FieldError[] {
  if (!isIp(text)) return [invalid(path, text, IP_RULE)];
  return SPECIAL.filter(({ is }) => is(text)).map(({ why }) => invalid(path, text, why(text)));
}

/** What is legal and yet not how the address should be written. */
export function ipWarnings(path: string, text: string): readonly string[] {
  if (!isIp(text)) return [];
  const right = parseIp(text);
  if (right === text || !text.includes(":")) return [];
  const [is, should] = [JSON.stringify(text), JSON.stringify(right)];
  return [`${path}: IPv6 address ${is} should be in RFC 5952 canonical format (${should})`];
}

/** The same for a network. */
export function cidrWarnings(path: string, text: string): readonly string[] {
  const cidr = readCidr(text);
  const [address = ""] = text.split("/");
  if (cidr === undefined || !isIp(address)) return [];
  const ip = parseIp(address);
  const [is, should] = [JSON.stringify(text), JSON.stringify(cidr)];
  if (!cidr.startsWith(`${ip}/`)) {
    const single = JSON.stringify(`${ip}/${ip.includes(":") ? 128 : 32}`);
    return [`${path}: CIDR value ${is} is ambiguous in this context (should be ${should} or ${single}?)`];
  }
  if (cidr === text || !text.includes(":")) return [];
  return [`${path}: IPv6 CIDR value ${is} should be in RFC 5952 canonical format (${should})`];
}

/** A network as upstream takes it in old fields: host bits may be set. */
export function validCidr(path: string, text: string): readonly FieldError[] {
  return readCidr(text) === undefined ? [invalid(path, text, CIDR_RULE)] : [];
}

/** A network, host bits cleared; undefined when the text is none. */
export function readCidr(text: string): Cidr | undefined {
  try {
    return parseCidr(text, { hostBits: "clear" });
  } catch (error) {
    if (error instanceof AddrError) return undefined;
    throw error;
  }
}
