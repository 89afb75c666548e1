import { join, normalize } from "node:path";
import { Fault } from "#fault/fault";
import type { Container, VolumeMount } from "#kube/generated/types";
import { expand } from "../env/expand.ts";
import type { VolumeBind } from "../runtime/runtime.ts";
import { bindSubPath } from "../volume/sub-path.ts";

const PROPAGATION: Readonly<Record<string, VolumeBind["propagation"]>> = {
  HostToContainer: "slave",
  Bidirectional: "shared",
};

export interface BindSources {
  /** Volume name to folder. */
  readonly paths: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string>>;
  /** Where parts of volumes are shown: `<pod's folder>/volume-subpaths`. */
  readonly subPathsDir: string;
}

/** What a container's volume mounts bind where. @throws {Fault} "CreateContainerConfigError" */
export function volumeBinds(
  container: Container,
  { paths, env, subPathsDir }: BindSources,
): readonly VolumeBind[] {
  return (container.volumeMounts ?? []).map((mount, index) => {
    const source = paths.get(mount.name);
    if (source === undefined) throw wrong(`volume "${mount.name}" is not one of the pod's`);
    const subPath = subPathOf(mount, env);
    const shown = join(subPathsDir, mount.name, container.name, String(index));
    if (subPath !== "") bindSubPath(source, subPath, shown);
    return {
      hostPath: subPath === "" ? source : shown,
      containerPath: normalize(`/${mount.mountPath}`).replace(/(?<=.)\/$/, ""),
      isReadOnly: mount.readOnly ?? false,
      propagation: PROPAGATION[mount.mountPropagation ?? ""] ?? "private",
    };
  });
}

function subPathOf({ subPath, subPathExpr }: VolumeMount, env: Readonly<Record<string, string>>): string {
  if (!subPathExpr) return subPath ?? "";
  return expand(subPathExpr, (name) => {
    if (!env[name]) throw wrong(`missing value for ${JSON.stringify(name)} in subPathExpr`);
    return env[name];
  });
}

function wrong(message: string): Fault {
  return new Fault("CreateContainerConfigError", message);
}
