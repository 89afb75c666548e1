import type { ServedResource } from "./client.ts";

interface GroupList {
  readonly groups?: readonly {
    readonly preferredVersion?: { readonly groupVersion: string };
    readonly versions?: readonly { readonly groupVersion: string }[];
  }[];
}
interface ResourceList {
  readonly groupVersion: string;
  readonly resources?: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs?: readonly string[] | null;
  }[];
}

/** Reads the resource lists of the core group and of every version of the others. Each resource is named once: at its group's preferred
 *  version, or else (a group may serve some resources in other versions only) at the first that has it. */
export async function discoverResources(
  read: <T>(path: string) => Promise<T>,
): Promise<readonly ServedResource[]> {
  const groups = await read<GroupList>("/apis");
  const versions = (groups.groups ?? []).flatMap(({ preferredVersion, versions = [] }) => {
    const names = [preferredVersion, ...versions].flatMap((version) => version?.groupVersion ?? []);
    return [...new Set(names)];
  });
  const lists = await Promise.all(
    ["/api/v1", ...versions.map((version) => `/apis/${version}`)].map((path) => read<ResourceList>(path)),
  );
  const found = new Map<string, ServedResource>();
  for (const resource of lists.flatMap(servedResources)) {
    const name = `${resource.group}/${resource.plural}`;
    if (!found.has(name)) found.set(name, resource);
  }
  return [...found.values()];
}

function servedResources(list: ResourceList): ServedResource[] {
  const slash = list.groupVersion.indexOf("/");
  const group = slash < 0 ? "" : list.groupVersion.slice(0, slash);
  const version = list.groupVersion.slice(slash + 1);
  return (list.resources ?? [])
    .filter(({ name }) => !name.includes("/"))
    .map(({ name, kind, namespaced, verbs }) => ({
      group,
      version,
      kind,
      plural: name,
      namespaced,
      verbs: verbs ?? [],
    }));
}
