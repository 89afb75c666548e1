import { createHash } from "node:crypto";
import type { KindSpec, Verb } from "../kinds/kind.ts";
import { REVIEWS } from "../sub/reviews.ts";
import { compareVersions } from "./version-order.ts";

/** One line of discovery: a resource, or a subresource as `pods/log`. */
export interface CatalogResource {
  readonly name: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** What it is stored as; undefined for what is not stored. */
  readonly storedAs: CatalogResource["kind"] | undefined;
}

export interface CatalogVersion {
  readonly group: string;
  readonly version: string;
  readonly resources: readonly CatalogResource[];
}

/** Groups in the order clients prefer them. */
const GROUP_ORDER = [
  "",
  "apps",
  "events.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "networking.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "storage.k8s.io",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "scheduling.k8s.io",
  "coordination.k8s.io",
  "node.k8s.io",
  "discovery.k8s.io",
];

/** Everything the server serves, as discovery tells it. */
export function catalogOf(kinds: readonly KindSpec[]): readonly CatalogVersion[] {
  const versions = new Map<string, CatalogResource[]>();
  const add = (group: string, version: string, resources: readonly CatalogResource[]) => {
    const key = `${group}/${version}`;
    versions.set(key, [...(versions.get(key) ?? []), ...resources]);
  };
  for (const spec of kinds) add(spec.resource.group, spec.resource.version, resourcesOf(spec));
  for (const { group, plural, kind, namespaced } of REVIEWS)
    add(group, "v1", [
      {
        ...plain(plural, namespaced, { group, version: "v1", kind }, ["create"]),
        singular: kind.toLowerCase(),
      },
    ]);
  add("", "v1", [
    {
      ...plain("bindings", true, { group: "", version: "v1", kind: "Binding" }, ["create"]),
      singular: "binding",
    },
  ]);
  return [...versions]
    .map(([key, resources]) => {
      const slash = key.indexOf("/");
      const sorted = [...resources].sort((a, b) => (a.name < b.name ? -1 : 1));
      return { group: key.slice(0, slash), version: key.slice(slash + 1), resources: sorted };
    })
    .sort(
      (a, b) =>
        rank(a.group) - rank(b.group) || byName(a.group, b.group) || compareVersions(a.version, b.version),
    );
}

function byName(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function rank(group: string): number {
  const at = GROUP_ORDER.indexOf(group);
  return at < 0 ? GROUP_ORDER.length : at;
}

const WRITING: ReadonlySet<Verb> = new Set<Verb>(["create", "patch", "update"]);

function resourcesOf(spec: KindSpec): CatalogResource[] {
  const { group, version, kind, plural, namespaced } = spec.resource;
  const own: CatalogResource = {
    name: plural,
    singular: spec.singular,
    namespaced,
    kind: { group, version, kind },
    verbs: spec.verbs.filter((verb) => !spec.custom?.isLeaving || !WRITING.has(verb)).sort(),
    shortNames: spec.shortNames,
    categories: spec.categories,
    storedAs: spec.verbs.includes("watch")
      ? (spec.conversion?.storedAs ?? { group, version, kind })
      : undefined,
  };
  const self = { group, version, kind };
  const sub = (name: string, of: CatalogResource["kind"], verbs: readonly string[]) =>
    plain(`${plural}/${name}`, namespaced, of, verbs);
  const half: readonly Verb[] = ["get", "patch", "update"];
  return [
    own,
    ...(spec.hasStatus ? [sub("status", self, half)] : []),
    ...(spec.scale ? [sub("scale", { group: "autoscaling", version: "v1", kind: "Scale" }, half)] : []),
    ...(kind === "CertificateSigningRequest" ? [sub("approval", self, half)] : []),
    ...(group === ""
      ? (CORE_SUBRESOURCES[plural] ?? []).map(([name, of, verbs]) => sub(name, of, verbs))
      : []),
  ];
}

const ANY_METHOD = ["create", "delete", "get", "patch", "update"];
const CORE = (kind: string) => ({ group: "", version: "v1", kind });
const CORE_SUBRESOURCES: Readonly<
  Record<string, readonly (readonly [string, CatalogResource["kind"], readonly string[]])[]>
> = {
  pods: [
    ["attach", CORE("PodAttachOptions"), ["create", "get"]],
    ["binding", CORE("Binding"), ["create"]],
    ["ephemeralcontainers", CORE("Pod"), ["get", "patch", "update"]],
    ["eviction", { group: "policy", version: "v1", kind: "Eviction" }, ["create"]],
    ["exec", CORE("PodExecOptions"), ["create", "get"]],
    ["log", CORE("Pod"), ["get"]],
    ["portforward", CORE("PodPortForwardOptions"), ["create", "get"]],
    ["proxy", CORE("PodProxyOptions"), ANY_METHOD],
    ["resize", CORE("Pod"), ["get", "patch", "update"]],
  ],
  serviceaccounts: [
    ["token", { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" }, ["create"]],
  ],
  namespaces: [["finalize", CORE("Namespace"), ["update"]]],
  nodes: [["proxy", CORE("NodeProxyOptions"), ANY_METHOD]],
  services: [["proxy", CORE("ServiceProxyOptions"), ANY_METHOD]],
};

function plain(
  name: string,
  namespaced: boolean,
  kind: CatalogResource["kind"],
  verbs: readonly string[],
): CatalogResource {
  return { name, singular: "", namespaced, kind, verbs, shortNames: [], categories: [], storedAs: undefined };
}

/** base64 of the first eight bytes of SHA-256 over `group/version/Kind`. */
export function storageVersionHash({ group, version, kind }: CatalogResource["kind"]): string {
  return createHash("sha256")
    .update(`${group}/${version}/${kind}`)
    .digest()
    .subarray(0, 8)
    .toString("base64");
}
