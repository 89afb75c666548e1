import type { Volume } from "#kube/generated/types";
import { duplicate, forbidden, invalid, required } from "../field/error.ts";
import { labelProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";

/** What is wrong with the volumes, and the names that mounts may use. */
export function validateVolumes(
  path: string,
  volumes: readonly Volume[] | undefined,
): { readonly errors: readonly FieldError[]; readonly names: ReadonlySet<string> } {
  const names = new Set<string>();
  const errors = (volumes ?? []).flatMap((volume, i) => validateVolume(`${path}[${i}]`, volume, names));
  return { errors, names };
}

function validateVolume(path: string, volume: Volume, names: Set<string>): readonly FieldError[] {
  const { name, ...sources } = volume;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  else {
    errors.push(...labelProblems(name).map((why) => invalid(`${path}.name`, name, why)));
    if (names.has(name)) errors.push(duplicate(`${path}.name`, name));
    names.add(name);
  }
  const given = Object.entries(sources).filter(([, source]) => source !== undefined && source !== null);
  if (given.length === 0) errors.push(required(path, "must specify a volume type"));
  for (const [type] of given.slice(1))
    errors.push(forbidden(`${path}.${type}`, "may not specify more than 1 volume type"));
  return [...errors, ...validateSource(path, volume)];
}

function validateSource(path: string, volume: Volume): readonly FieldError[] {
  const { hostPath, secret, configMap, persistentVolumeClaim } = volume;
  const errors: FieldError[] = [];
  if (hostPath !== undefined) {
    if (!hostPath.path) errors.push(required(`${path}.hostPath.path`));
    else if (hostPath.path.split("/").includes(".."))
      errors.push(invalid(`${path}.hostPath.path`, hostPath.path, "must not contain '..'"));
  }
  if (secret !== undefined && !secret.secretName) errors.push(required(`${path}.secret.secretName`));
  if (configMap !== undefined && !configMap.name) errors.push(required(`${path}.configMap.name`));
  if (persistentVolumeClaim !== undefined && !persistentVolumeClaim.claimName)
    errors.push(required(`${path}.persistentVolumeClaim.claimName`));
  return errors;
}
