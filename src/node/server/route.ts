/** A container of a pod; `uid` where the client named the pod's too. */
export interface ContainerRef {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string | undefined;
  readonly container: string;
}

export type PodRef = Omit<ContainerRef, "container">;

/** Everything this port can be asked for. */
export type Route =
  | StreamRoute
  | { readonly kind: "run" | "logs"; readonly of: ContainerRef }
  | { readonly kind: "page"; readonly page: Page }
  /** Below the node's own log folder; empty is the folder itself. */
  | { readonly kind: "files"; readonly path: readonly string[] }
  | { readonly kind: "wrong-method"; readonly allowed: readonly string[] }
  | { readonly kind: "unknown" };

/** What goes on in another protocol. */
export type StreamRoute =
  | { readonly kind: "exec" | "attach"; readonly of: ContainerRef }
  | { readonly kind: "ports"; readonly of: PodRef };

export type Page = keyof typeof PAGES;

const PAGES = {
  healthz: "/healthz",
  pods: "/pods",
  "running-pods": "/runningpods",
  configz: "/configz",
  "stats-summary": "/stats/summary",
  metrics: "/metrics",
  "metrics-resource": "/metrics/resource",
  "metrics-probes": "/metrics/probes",
  "metrics-cadvisor": "/metrics/cadvisor",
} as const;
const PAGE_AT: ReadonlyMap<string, Page> = new Map(
  Object.entries(PAGES).map(([page, path]) => [path, page as Page]),
);

interface OfContainer {
  readonly methods: readonly string[];
  readonly route: (of: ContainerRef) => Route;
}

/** By the first part of a path that names a container. */
const OF_CONTAINER: ReadonlyMap<string, OfContainer> = new Map([
  ["exec", { methods: ["GET", "POST"], route: (of) => ({ kind: "exec", of }) }],
  ["attach", { methods: ["GET", "POST"], route: (of) => ({ kind: "attach", of }) }],
  ["run", { methods: ["POST"], route: (of) => ({ kind: "run", of }) }],
  ["containerLogs", { methods: ["GET"], route: (of) => ({ kind: "logs", of }) }],
]);
const PORT_METHODS = ["GET", "POST"];
const PAGE_METHODS = ["GET", "HEAD"];
const UNKNOWN: Route = { kind: "unknown" };

/** What a method and a path (no query) ask of a kubelet. @see InstallDefaultHandlers in pkg/kubelet/server/server.go */
export function routeOf(method: string, path: string): Route {
  const parts = decodeParts(path);
  if (parts === undefined) return UNKNOWN;
  const page = PAGE_AT.get(`/${parts.filter((part) => part !== "").join("/")}`);
  if (page !== undefined) return checked(method, PAGE_METHODS, { kind: "page", page });
  const [root = "", ...rest] = parts;
  if (root === "logs") return checked(method, PAGE_METHODS, { kind: "files", path: rest });
  if (root === "portForward") return checked(method, PORT_METHODS, portsOf(rest));
  const known = OF_CONTAINER.get(root);
  if (known === undefined) return UNKNOWN;
  // A log is asked for by name alone.
  if (root === "containerLogs" && rest.length !== 3) return UNKNOWN;
  const of = containerOf(rest);
  return of ? checked(method, known.methods, known.route(of)) : UNKNOWN;
}

function checked(method: string, allowed: readonly string[], route: Route): Route {
  if (route.kind === "unknown" || allowed.includes(method)) return route;
  return { kind: "wrong-method", allowed };
}

function containerOf(parts: readonly string[]): ContainerRef | undefined {
  const pod = podOf(parts.slice(0, -1));
  const container = parts.at(-1);
  return pod && container ? { ...pod, container } : undefined;
}

function portsOf(parts: readonly string[]): Route {
  const of = podOf(parts);
  return of ? { kind: "ports", of } : UNKNOWN;
}

function podOf([namespace, pod, uid, ...rest]: readonly string[]): PodRef | undefined {
  if (!namespace || !pod || uid === "" || rest.length > 0) return undefined;
  return { namespace, pod, uid };
}

/** Undefined for a path with a percent sign that means nothing. */
function decodeParts(path: string): readonly string[] | undefined {
  try {
    return path.split("/").slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
