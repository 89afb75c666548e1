import type { Container, EphemeralContainer, Pod } from "#kube/generated/types";
import { forbidden, notFound } from "../field/error.ts";
import { sameJson } from "../field/same.ts";
import type { FieldError } from "../kind.ts";
import { type Around, takeName, validateCommon } from "./container-validation.ts";

/** A container for debugging serves nobody and asks for nothing. */
const ALLOWED = new Set([
  "name",
  "image",
  "command",
  "args",
  "workingDir",
  "env",
  "envFrom",
  "volumeMounts",
  "volumeDevices",
  "terminationMessagePath",
  "terminationMessagePolicy",
  "imagePullPolicy",
  "securityContext",
  "stdin",
  "stdinOnce",
  "tty",
  "targetContainerName",
]);
const CANNOT = "cannot be set for an Ephemeral Container";
const MIRROR = "kubernetes.io/config.mirror";

export function validateEphemeralContainers(path: string, around: Around): readonly FieldError[] {
  const { spec } = around;
  const others = new Set(
    [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name),
  );
  const names = new Set(others);
  return (spec.ephemeralContainers ?? []).flatMap((container, i) => {
    const at = `${path}[${i}]`;
    const target = container.targetContainerName ?? "";
    return [
      ...validateCommon(at, asContainer(container), { ...around, isPod: true }),
      ...takeName(`${at}.name`, container.name, names),
      ...(target !== "" && !others.has(target) ? [notFound(`${at}.targetContainerName`, target)] : []),
      ...validateFields(at, container),
    ];
  });
}

function asContainer({ targetContainerName: _, ...container }: EphemeralContainer): Container {
  return container;
}

function validateFields(path: string, container: EphemeralContainer): readonly FieldError[] {
  const isEmpty = (value: unknown) =>
    value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  const set = Object.entries(container).filter(([field, value]) => !ALLOWED.has(field) && !isEmpty(value));
  const mounts = (container.volumeMounts ?? []).flatMap((mount, i) =>
    (["subPath", "subPathExpr"] as const)
      .filter((field) => mount[field])
      .map((field) => forbidden(`${path}.volumeMounts[${i}].${field}`, CANNOT)),
  );
  return [...set.map(([field]) => forbidden(`${path}.${field}`, CANNOT)), ...mounts];
}

/** To a pod's ephemeral containers others may be added; those that are there stay as they are. */
export function validateEphemeralUpdate(pod: Pod, stored: Pod): readonly FieldError[] {
  if (stored.metadata.annotations?.[MIRROR] !== undefined)
    return [forbidden("", "static pods do not support ephemeral containers")];
  const path = "spec.ephemeralContainers";
  const byName = new Map((pod.spec?.ephemeralContainers ?? []).map((one) => [one.name, one]));
  return (stored.spec?.ephemeralContainers ?? []).flatMap((before) => {
    const now = byName.get(before.name);
    const what = `existing ephemeral containers ${JSON.stringify(before.name)}`;
    if (now === undefined) return [forbidden(path, `${what} may not be removed\n`)];
    return sameJson(now, before) ? [] : [forbidden(path, `${what} may not be changed\n`)];
  });
}
