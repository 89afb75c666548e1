import type { World } from "../../cache/world.ts";
import type { KindSpec } from "../../kinds/kind.ts";
import type { VersionsOf } from "./matcher.ts";

/** The versions that a resource is served in, the one asked for first; read again when what is served changes. */
export function servedVersions(world: World): VersionsOf {
  const known = new Map<KindSpec, readonly string[]>();
  world.whenServing(() => known.clear());
  return (spec) => {
    const before = known.get(spec);
    if (before !== undefined) return before;
    const { group, version, plural } = spec.resource;
    const others = world.kinds
      .map(({ resource }) => resource)
      .filter((one) => one.group === group && one.plural === plural && one.version !== version);
    const versions = [version, ...others.map((one) => one.version)];
    known.set(spec, versions);
    return versions;
  };
}
