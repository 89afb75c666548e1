import { define, type Overload } from "../declare.ts";
import { runtimeFault } from "../fault.ts";
import { MadeMap, Opaque, type Value } from "../value.ts";

const URL_TEXT = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?]*))?(\/[^?]*|)(?:\?(.*))?$/;
const OPAQUE_URL = /^([a-zA-Z][a-zA-Z0-9+.-]*):[^/?][^?]*(?:\?(.*))?$/;
const HOST = /^(?:[^\s[\]<>"\\^`{|}%:]|%[0-9a-fA-F]{2})*$/;
const BAD_ESCAPE = /%(?![0-9a-fA-F]{2})/;
/** What Go's url package leaves as it is in a path. */
const PATH_LETTER = /[^A-Za-z0-9\-._~$&+,/:;=@!'()*[\]%]/gu;

/** An absolute URL or an absolute path, in its parts. */
export class Url extends Opaque {
  readonly typeName = "kubernetes.URL";
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;

  constructor(parts: { scheme: string; host: string; path: string; query: string }) {
    super();
    this.scheme = parts.scheme;
    this.host = parts.host;
    this.path = parts.path;
    this.query = parts.query;
  }

  equals(other: Opaque): boolean {
    return other instanceof Url && this.text === other.text;
  }

  get text(): string {
    return JSON.stringify([this.scheme, this.host, this.path, this.query]);
  }
}

export function urls(): readonly Overload[] {
  const member = (name: string, part: (url: Url) => Value, type = "string") =>
    define(`kubernetes.URL.${name}(): ${type}`, part, "flat");
  return [
    define("url(string): kubernetes.URL", made),
    define("isURL(string): bool", (text: string) => parseUrl(text) !== undefined),
    member("getScheme", ({ scheme }) => scheme),
    member("getHost", ({ host }) => host),
    member("getHostname", ({ host }) => /^\[(.*)\](?::\d*)?$/.exec(host)?.[1] ?? host.replace(/:\d*$/, "")),
    member("getPort", ({ host }) => /:(\d+)$/.exec(host.replace(/^\[.*\]/, ""))?.[1] ?? ""),
    member("getEscapedPath", ({ path }) => path.replace(PATH_LETTER, encodeURIComponent)),
    member("getQuery", ({ query }) => queryMap(query), "map(string, list(string))"),
  ];
}

function made(text: string): Url {
  const url = parseUrl(text);
  if (url === undefined)
    throw runtimeFault(
      `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
    );
  return url;
}

/** @see net/url ParseRequestURI */
function parseUrl(given: string): Url | undefined {
  const text = given.replace(/#.*$/, "");
  const [, opaqueScheme, opaqueQuery = ""] = OPAQUE_URL.exec(text) ?? [];
  if (opaqueScheme !== undefined)
    return new Url({ scheme: opaqueScheme.toLowerCase(), host: "", path: "", query: opaqueQuery });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  const found = /[\x00-\x20\x7f]/.test(text) ? null : URL_TEXT.exec(text);
  if (found === null) return undefined;
  const [, scheme = "", authority, path = "", query = ""] = found;
  if (scheme === "" && (authority !== undefined ? !text.startsWith("//") : path === "")) return undefined;
  if (scheme !== "" && authority === undefined && path === "") return undefined;
  if (BAD_ESCAPE.test(path)) return undefined;
  const host = hostOf(authority ?? "");
  if (host === undefined) return undefined;
  return new Url({
    scheme: scheme.toLowerCase(),
    host,
    path,
    query,
  });
}

function hostOf(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  const [, name = "", port = ""] = /^(\[[0-9a-fA-F:.%]*\]|[^:]*)(:.*)?$/.exec(host) ?? [];
  if (!/^(:\d*)?$/.test(port)) return undefined;
  if (name === "" && host !== "" && port === "") return undefined;
  return name.startsWith("[") || HOST.test(name) ? host : undefined;
}

function queryMap(query: string): Value {
  const found = new Map<string, string[]>();
  for (const [key, value] of new URLSearchParams(query)) found.set(key, [...(found.get(key) ?? []), value]);
  return MadeMap.of(found);
}
