import { join, normalize } from "node:path";
import { explain, Fault } from "#fault/fault";
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
  /** Of the volumes that no container can write to. */
  readonly readOnly: ReadonlySet<string>;
  readonly env: Readonly<Record<string, string>>;
  /** Volume name to image, of those that are one. */
  readonly images: ReadonlyMap<string, { readonly ref: string; readonly name: string }>;
  /** Whether the runtime can make mounts read-only with all that is mounted below them. */
  readonly canReadOnlyBelow: boolean;
  /** Where parts of volumes are shown: `<pod's folder>/volume-subpaths`. */
  readonly subPathsDir: string;
}

/** What a container's volume mounts bind where. @throws {Fault} "CreateContainerConfigError" */
export function volumeBinds(
  container: Container,
  { paths, readOnly, env, images, canReadOnlyBelow, subPathsDir }: BindSources,
): readonly VolumeBind[] {
  return (container.volumeMounts ?? []).map((mount, index) => {
    const subPath = subPathOf(mount, env);
    const containerPath = normalize(`/${mount.mountPath}`).replace(/(?<=.)\/$/, "");
    const image = images.get(mount.name);
    if (image)
      return {
        ...{ hostPath: "", containerPath, isReadOnly: true, propagation: "private" as const },
        image: { ...image, subPath },
      };
    const source = paths.get(mount.name);
    if (source === undefined) throw wrong(`volume "${mount.name}" is not one of the pod's`);
    const shown = join(subPathsDir, mount.name, container.name, String(index));
    if (subPath !== "")
      showPart(source, subPath, {
        shown,
        about: `volumeMount "${mount.name}" of container "${container.name}"`,
      });
    return {
      hostPath: subPath === "" ? source : shown,
      containerPath,
      isReadOnly: mount.readOnly === true || readOnly.has(mount.name),
      ...(readOnlyBelow(mount, canReadOnlyBelow) ? { isReadOnlyBelow: true } : {}),
      propagation: PROPAGATION[mount.mountPropagation ?? ""] ?? "private",
    };
  });
}

/** @throws {Fault} "CreateContainerConfigError" where it must be and cannot */
function readOnlyBelow({ name, readOnly, recursiveReadOnly }: VolumeMount, can: boolean): boolean {
  if (recursiveReadOnly === "Enabled" && !can)
    throw wrong(
      `failed to resolve recursive read-only mode: volume ${JSON.stringify(name)} requested recursive read-only mode, but it is not supported by the runtime`,
    );
  return readOnly === true && can && (recursiveReadOnly === "Enabled" || recursiveReadOnly === "IfPossible");
}

function showPart(source: string, subPath: string, { shown, about }: { shown: string; about: string }): void {
  try {
    bindSubPath(source, subPath, shown);
  } catch (error) {
    throw wrong(`failed to prepare subPath for ${about}: ${explain(error)}`);
  }
}

function subPathOf({ subPath, subPathExpr }: VolumeMount, env: Readonly<Record<string, string>>): string {
  if (!subPathExpr) return subPath ?? "";
  return expand(subPathExpr, (name) => {
    if (!env[name]) throw wrong(`missing value for ${name}`);
    return env[name];
  });
}

function wrong(message: string): Fault {
  return new Fault("CreateContainerConfigError", message);
}
