import { formatEndpoint, type Ip } from "#addr/ip";
import { type CatalogResource, type CatalogVersion, storageVersionHash } from "./catalog.ts";

export interface Advertised {
  readonly ip: Ip;
  readonly port: number;
}

/** GET /api. */
export function apiVersions({ ip, port }: Advertised): object {
  return {
    kind: "APIVersions",
    versions: ["v1"],
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: formatEndpoint(ip, port) }],
  };
}

/** GET /apis. */
export function groupList(catalog: readonly CatalogVersion[]): object {
  return {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: groupsOf(catalog).map((group) => groupBody(catalog, group)),
  };
}

/** GET /apis/GROUP. */
export function oneGroup(catalog: readonly CatalogVersion[], group: string): object | undefined {
  if (!groupsOf(catalog).includes(group)) return undefined;
  return { kind: "APIGroup", apiVersion: "v1", ...groupBody(catalog, group) };
}

/** GET /api/v1 and /apis/GROUP/VERSION. */
export function resourceList(
  catalog: readonly CatalogVersion[],
  group: string,
  version: string,
): object | undefined {
  const found = catalog.find((each) => each.group === group && each.version === version);
  if (found === undefined) return undefined;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: group === "" ? version : `${group}/${version}`,
    resources: found.resources.map((resource) => resourceBody(resource, found)),
  };
}

function groupsOf(catalog: readonly CatalogVersion[]): string[] {
  return [...new Set(catalog.map(({ group }) => group))].filter((group) => group !== "");
}

function groupBody(catalog: readonly CatalogVersion[], group: string) {
  const versions = catalog
    .filter((each) => each.group === group)
    .map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

function resourceBody(
  resource: CatalogResource,
  list: { readonly group: string; readonly version: string },
): object {
  const { group, version, kind } = resource.kind;
  const isElsewhere = group !== list.group || version !== list.version;
  return {
    name: resource.name,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    ...(isElsewhere ? { group, version } : {}),
    kind,
    verbs: resource.verbs,
    ...(resource.shortNames.length > 0 ? { shortNames: resource.shortNames } : {}),
    ...(resource.categories.length > 0 ? { categories: resource.categories } : {}),
    ...(resource.storedAs ? { storageVersionHash: storageVersionHash(resource.storedAs) } : {}),
  };
}
