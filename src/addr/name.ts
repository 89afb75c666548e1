import { AddrError, type Tagged } from "./tagged.ts";

/** An RFC 1123 label: at most 63 of a-z, 0-9 and dashes, not at the ends. */
export type DnsLabel = Tagged<string, "DnsLabel">;
/** `namespace/name`, or just `name` for what belongs to no namespace. */
export type NamespacedName = Tagged<string, "NamespacedName">;

const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

export function isDnsLabel(text: string): text is DnsLabel {
  return LABEL.test(text);
}

/** RFC 1123 subdomain: labels joined by dots, at most 253 characters. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split(".").every((label) => LABEL.test(label));
}

/** Reads the name of a namespace and the like. @throws {AddrError} */
export function parseDnsLabel(what: string, text: string): string {
  if (!isDnsLabel(text)) {
    throw new AddrError(
      what,
      text,
      "expected at most 63 lower-case letters, digits and '-', starting and ending with a letter or digit",
    );
  }
  return text;
}

/** Reads a node or object name. @throws {AddrError} */
export function parseDnsSubdomain(what: string, text: string): string {
  if (!isDnsSubdomain(text)) {
    throw new AddrError(
      what,
      text,
      "expected lower-case letters, digits, '-' and '.', starting and ending with a letter or digit",
    );
  }
  return text;
}

export function namespacedName(object: { namespace?: string | undefined; name: string }): NamespacedName {
  return (object.namespace ? `${object.namespace}/${object.name}` : object.name) as NamespacedName;
}

export function splitNamespacedName(key: NamespacedName): { namespace?: string; name: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
