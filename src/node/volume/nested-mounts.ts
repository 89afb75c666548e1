import { mkdirSync } from "node:fs";
import { join, normalize } from "node:path";
import type { Pod } from "#kube/generated/types";

/** Makes the folders that other volumes are mounted on inside this one: a runtime finds it read-only already, and could not.
 *  @see kubelet pkg/volume/util/nested_volumes.go */
export function makeNestedMountPoints(dir: string, volume: string, pod: Pod): void {
  for (const path of nestedMountPoints(volume, pod))
    mkdirSync(join(dir, path), { recursive: true, mode: 0o755 });
}

/** The uppermost mount points below those of the volume, relative to it. */
export function nestedMountPoints(volume: string, { spec }: Pod): readonly string[] {
  const containers = [
    ...(spec?.initContainers ?? []),
    ...(spec?.containers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  const found = containers.flatMap(({ volumeMounts = [] }) => {
    const all = volumeMounts.map(({ mountPath }) => folder(mountPath)).sort();
    const own = volumeMounts.filter(({ name }) => name === volume).map(({ mountPath }) => folder(mountPath));
    return own.flatMap((outer) =>
      uppermost(
        all.filter((path) => path !== outer && path.startsWith(outer)),
        outer,
      ),
    );
  });
  return [...new Set(found)];
}

function uppermost(sorted: readonly string[], outer: string): readonly string[] {
  const first = sorted.filter((path) => !sorted.some((other) => other !== path && path.startsWith(other)));
  return first.map((path) => path.slice(outer.length, -1));
}

/** With one slash at its end, so that `/etc` does not begin `/etcetera`. */
function folder(mountPath: string): string {
  return normalize(`/${mountPath}/`);
}
