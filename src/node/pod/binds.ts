import { mkdirSync, realpathSync } from "node:fs";
import { join, normalize } from "node:path";
import { Fault } from "#fault/fault";
import type { Container, VolumeMount } from "#kube/generated/types";
import { expand } from "../env/expand.ts";
import type { VolumeBind } from "../runtime/runtime.ts";

const PROPAGATION: Readonly<Record<string, VolumeBind["propagation"]>> = {
  HostToContainer: "slave",
  Bidirectional: "shared",
};

/** What a container's volume mounts bind where. @throws {Fault} "CreateContainerConfigError" */
export function volumeBinds(
  container: Container,
  paths: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string>>,
): readonly VolumeBind[] {
  return (container.volumeMounts ?? []).map((mount) => {
    const source = paths.get(mount.name);
    if (source === undefined) throw wrong(`volume "${mount.name}" is not one of the pod's`);
    return {
      hostPath: withinVolume(source, subPathOf(mount, env)),
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

/** A path below the volume with every link resolved, made when missing; one that leads out is refused. */
function withinVolume(volume: string, subPath: string): string {
  if (subPath === "") return volume;
  if (subPath.startsWith("/") || subPath.split("/").includes(".."))
    throw wrong(`subPath ${JSON.stringify(subPath)} must be relative and stay inside the volume`);
  const wanted = join(volume, subPath);
  const resolved = resolve(wanted);
  if (resolved === undefined) {
    mkdirSync(wanted, { recursive: true, mode: 0o755 });
    return withinVolume(volume, subPath);
  }
  const root = realpathSync(volume);
  if (resolved !== root && !resolved.startsWith(`${root}/`))
    throw wrong(`subPath ${JSON.stringify(subPath)} leads out of the volume`);
  return resolved;
}

function resolve(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

function wrong(message: string): Fault {
  return new Fault("CreateContainerConfigError", message);
}
