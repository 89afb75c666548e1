/** What a path means: a resource of the API, or something else (discovery, health, version). */
export type RequestInfo = ResourceRequest | { readonly is: "other"; readonly path: string };

export interface ResourceRequest {
  readonly is: "resource";
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** What follows the subresource, for proxies. */
  readonly rest: readonly string[];
  /** The old `/watch/` prefix stood before the resource. */
  readonly watchPrefix: boolean;
}

const NAMESPACE_SUBRESOURCES = new Set(["status", "finalize"]);

/** Reads `/api/v1/...` and `/apis/GROUP/VERSION/...`; undefined when a part is not valid percent-encoding. */
export function parsePath(path: string): RequestInfo | undefined {
  const parts = decodeParts(path);
  if (parts === undefined) return undefined;
  const prefixLength = parts[0] === "api" ? 2 : parts[0] === "apis" ? 3 : 0;
  if (prefixLength === 0 || parts.length <= prefixLength) return { is: "other", path };
  const group = prefixLength === 3 ? (parts[1] ?? "") : "";
  const version = parts[prefixLength - 1] ?? "";
  let tail = parts.slice(prefixLength);
  const watchPrefix = tail[0] === "watch" && tail.length > 1;
  if (watchPrefix) tail = tail.slice(1);
  return { is: "resource", path, group, version, watchPrefix, ...readTail(tail) };
}

function readTail(
  tail: readonly string[],
): Omit<ResourceRequest, "is" | "path" | "group" | "version" | "watchPrefix"> {
  const [first = "", second, third] = tail;
  const isScope = first === "namespaces" && second !== undefined && third !== undefined;
  if (isScope && !(NAMESPACE_SUBRESOURCES.has(third) && tail.length === 3)) {
    const [, , plural = "", name, subresource, ...rest] = tail;
    return { plural, namespace: second, name, subresource, rest };
  }
  const [, name, subresource, ...rest] = tail;
  return { plural: first, namespace: undefined, name, subresource, rest };
}

function decodeParts(path: string): string[] | undefined {
  try {
    return path
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
