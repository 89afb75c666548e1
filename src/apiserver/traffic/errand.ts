import type { ResourceRequest } from "../request/info.ts";

/** What one request wants done, as far as its first line tells. */
export interface Errand {
  /** `list`, `create`, ...; of a path that is no resource, the HTTP method in lower case. */
  readonly verb: string;
  /** Undefined for other paths, and for resources that nobody serves: clients may ask for any. */
  readonly info: ResourceRequest | undefined;
}

const LONG_RUNNING = new Set(["attach", "exec", "proxy", "log", "portforward"]);

/** Open for as long as the client likes: no deadline, and not counted among those in flight.
 *  @see BasicLongRunningRequestCheck in kube-apiserver's options */
export function isLongRunning({ verb, info }: Errand): boolean {
  return info !== undefined && (verb === "watch" || LONG_RUNNING.has(info.subresource ?? ""));
}

/** Whether it is counted among those that change something. */
export function isMutating({ verb }: Errand): boolean {
  return !(verb === "get" || verb === "list" || verb === "watch" || verb === "head");
}
