import type { CatalogResource, CatalogVersion } from "./catalog.ts";

/** What kubectl 1.26 and later ask for; the answer must carry the parameters too. */
export const AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/** Everything under /api (the core group) or /apis (the others) in one answer. */
export function aggregatedDiscovery(catalog: readonly CatalogVersion[], path: "/api" | "/apis"): object {
  const shown = catalog.filter(({ group }) => (group === "") === (path === "/api"));
  const groups = [...new Set(shown.map(({ group }) => group))];
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: groups.map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: shown.filter((each) => each.group === group).map(versionBody),
    })),
  };
}

function versionBody({ version, resources }: CatalogVersion): object {
  const main = resources.filter(({ name }) => !name.includes("/"));
  return {
    version,
    freshness: "Current",
    resources: main.map((resource) => ({
      resource: resource.name,
      responseKind: resource.kind,
      scope: resource.namespaced ? "Namespaced" : "Cluster",
      singularResource: resource.singular,
      verbs: resource.verbs,
      ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
      ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
      ...subresourcesOf(resource, resources),
    })),
  };
}

function subresourcesOf(resource: CatalogResource, all: readonly CatalogResource[]): object {
  const prefix = `${resource.name}/`;
  const found = all.filter(({ name }) => name.startsWith(prefix));
  if (found.length === 0) return {};
  return {
    subresources: found.map(({ name, kind, verbs }) => ({
      subresource: name.slice(prefix.length),
      responseKind: kind,
      verbs,
    })),
  };
}
