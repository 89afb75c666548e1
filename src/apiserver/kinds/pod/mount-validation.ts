import type { Container, VolumeDevice, VolumeMount } from "#kube/generated/types";
import { forbidden, invalid, notFound, notSupported, required } from "../field/error.ts";
import { validateInnerPath, validateNoBacksteps } from "../field/paths.ts";
import type { FieldError } from "../kind.ts";
import type { Volumes } from "./volume-validation.ts";

const PROPAGATIONS = ["Bidirectional", "HostToContainer", "None"];
const RECURSIVE_MODES = ["Disabled", "Enabled", "IfPossible"];

/** Where the container's volumes are mounted, and where they are devices: each volume exists, each place is taken once. */
export function validateMounts(path: string, container: Container, volumes: Volumes): readonly FieldError[] {
  return [
    ...validateVolumeMounts(`${path}.volumeMounts`, container, volumes),
    ...validateDevices(`${path}.volumeDevices`, container, volumes),
  ];
}

function validateVolumeMounts(path: string, container: Container, volumes: Volumes): readonly FieldError[] {
  const seen = new Set<string>();
  const devices = container.volumeDevices ?? [];
  return (container.volumeMounts ?? []).flatMap((mount, i) => {
    const at = `${path}[${i}]`;
    const { name, mountPath } = mount;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(`${at}.name`));
    if (!volumes.has(name)) errors.push(notFound(`${at}.name`, name));
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    if (seen.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, "must be unique"));
    seen.add(mountPath);
    if (devices.some((device) => device.name === name))
      errors.push(invalid(`${at}.name`, name, "must not already exist in volumeDevices"));
    if (devices.some((device) => device.devicePath === mountPath))
      errors.push(invalid(`${at}.mountPath`, mountPath, "must not already exist as a path in volumeDevices"));
    return [...errors, ...validateSubPaths(path, at, mount), ...validatePropagation(path, mount, container)];
  });
}

function validateSubPaths(
  path: string,
  at: string,
  { subPath = "", subPathExpr = "" }: VolumeMount,
): readonly FieldError[] {
  const errors = subPath === "" ? [] : [...validateInnerPath(`${path}.subPath`, subPath)];
  if (subPathExpr === "") return errors;
  if (subPath !== "")
    errors.push(invalid(`${at}.subPathExpr`, subPathExpr, "subPathExpr and subPath are mutually exclusive"));
  return [...errors, ...validateInnerPath(`${path}.subPathExpr`, subPathExpr)];
}

function validatePropagation(path: string, mount: VolumeMount, container: Container): readonly FieldError[] {
  const { mountPropagation, recursiveReadOnly, readOnly } = mount;
  const errors: FieldError[] = [];
  if (mountPropagation !== undefined) {
    const at = `${path}.mountPropagation`;
    if (!PROPAGATIONS.includes(mountPropagation))
      errors.push(notSupported(at, mountPropagation, PROPAGATIONS));
    if (mountPropagation === "Bidirectional" && container.securityContext?.privileged !== true)
      errors.push(
        forbidden(at, "Bidirectional mount propagation is available only to privileged containers"),
      );
  }
  if (recursiveReadOnly === undefined || recursiveReadOnly === "Disabled") return errors;
  const at = `${path}.recursiveReadOnly`;
  if (!RECURSIVE_MODES.includes(recursiveReadOnly))
    return [...errors, notSupported(at, recursiveReadOnly, RECURSIVE_MODES)];
  if (readOnly !== true) errors.push(forbidden(at, "may only be specified when readOnly is true"));
  if (mountPropagation !== undefined && mountPropagation !== "None")
    errors.push(forbidden(at, "may only be specified when mountPropagation is None or not specified"));
  return errors;
}

function validateDevices(path: string, container: Container, volumes: Volumes): readonly FieldError[] {
  const names = new Set<string>();
  const paths = new Set<string>();
  const mounts = container.volumeMounts ?? [];
  return (container.volumeDevices ?? []).flatMap((device, i) => {
    const at = `${path}[${i}]`;
    const { name, devicePath } = device;
    const errors = [...validateDeviceName(`${at}.name`, device, volumes)];
    if (names.has(name)) errors.push(invalid(`${at}.name`, name, "must be unique"));
    if (!devicePath) errors.push(required(`${at}.devicePath`));
    if (paths.has(devicePath)) errors.push(invalid(`${at}.devicePath`, devicePath, "must be unique"));
    if (validateNoBacksteps(at, devicePath).length > 0)
      errors.push(invalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    if (mounts.some((mount) => mount.name === name))
      errors.push(invalid(`${at}.name`, name, "must not already exist in volumeMounts"));
    if (mounts.some((mount) => mount.mountPath === devicePath))
      errors.push(
        invalid(`${at}.devicePath`, devicePath, "must not already exist as a path in volumeMounts"),
      );
    names.add(name);
    paths.add(devicePath);
    return errors;
  });
}

function validateDeviceName(path: string, { name }: VolumeDevice, volumes: Volumes): FieldError[] {
  const volume = volumes.get(name);
  const errors = name ? [] : [required(path)];
  if (volume === undefined) errors.push(notFound(path, name));
  else if (volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined)
    errors.push(
      invalid(
        path,
        name,
        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
      ),
    );
  return errors;
}
