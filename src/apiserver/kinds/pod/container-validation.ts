import type { Container, ContainerPort, EnvVar, PodSpec, VolumeMount } from "#kube/generated/types";
import { duplicate, invalid, notFound, notSupported, required } from "../field/error.ts";
import { labelProblems } from "../field/names.ts";
import { portNameProblems, validPort } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";
import { validateLifecycle, validateProbe } from "./probe-validation.ts";
import { validateResources } from "./resource-validation.ts";

const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const HOST_PORT_RULE = "must match `containerPort` when `hostNetwork` is true";

interface Surroundings {
  readonly volumes: ReadonlySet<string>;
  readonly hostNetwork: boolean;
  /** Names of all containers seen so far: one may not have another's. */
  readonly names: Set<string>;
  /** Ports of the host taken so far, as `TCP//80`. */
  readonly hostPorts: Set<string>;
}

export function validateContainers(
  path: string,
  spec: PodSpec,
  volumes: ReadonlySet<string>,
): readonly FieldError[] {
  const around = {
    volumes,
    hostNetwork: spec.hostNetwork === true,
    names: new Set<string>(),
    hostPorts: new Set<string>(),
  };
  if (!spec.containers?.length) return [required(`${path}.containers`)];
  return [
    ...spec.containers.flatMap((container, i) =>
      validateContainer(`${path}.containers[${i}]`, container, around),
    ),
    ...(spec.initContainers ?? []).flatMap((container, i) =>
      validateContainer(`${path}.initContainers[${i}]`, container, { ...around, hostPorts: new Set() }),
    ),
  ];
}

function validateContainer(path: string, container: Container, around: Surroundings): readonly FieldError[] {
  return [
    ...validateName(`${path}.name`, container.name, around.names),
    ...validateImage(path, container),
    ...validatePorts(`${path}.ports`, container.ports, around),
    ...(container.env ?? []).flatMap((entry, i) => validateEnv(`${path}.env[${i}]`, entry)),
    ...validateMounts(`${path}.volumeMounts`, container.volumeMounts, around.volumes),
    ...validateProbe(`${path}.livenessProbe`, container.livenessProbe, { mustSucceedOnce: true }),
    ...validateProbe(`${path}.readinessProbe`, container.readinessProbe, { mustSucceedOnce: false }),
    ...validateProbe(`${path}.startupProbe`, container.startupProbe, { mustSucceedOnce: true }),
    ...validateLifecycle(`${path}.lifecycle`, container.lifecycle),
    ...validateResources(`${path}.resources`, container.resources),
  ];
}

function validateName(path: string, name: string | undefined, names: Set<string>): readonly FieldError[] {
  if (!name) return [required(path)];
  const errors = labelProblems(name).map((why) => invalid(path, name, why));
  if (names.has(name)) errors.push(duplicate(path, name));
  names.add(name);
  return errors;
}

function validateImage(path: string, { image = "", imagePullPolicy = "" }: Container): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (image === "") errors.push(required(`${path}.image`));
  else if (image !== image.trim())
    errors.push(invalid(`${path}.image`, image, "must not have leading or trailing whitespace"));
  if (imagePullPolicy === "") errors.push(required(`${path}.imagePullPolicy`));
  else if (!PULL_POLICIES.includes(imagePullPolicy))
    errors.push(notSupported(`${path}.imagePullPolicy`, imagePullPolicy, PULL_POLICIES));
  return errors;
}

function validatePorts(
  path: string,
  ports: readonly ContainerPort[] | undefined,
  around: Surroundings,
): readonly FieldError[] {
  const names = new Set<string>();
  return (ports ?? []).flatMap((port, i) => {
    const at = `${path}[${i}]`;
    return [
      ...validatePortName(`${at}.name`, port.name, names),
      ...(port.containerPort === 0 || port.containerPort === undefined
        ? [required(`${at}.containerPort`)]
        : validPort(`${at}.containerPort`, port.containerPort)),
      ...validateHostPort(`${at}.hostPort`, port, around),
      ...(PROTOCOLS.includes(port.protocol ?? "")
        ? []
        : [notSupported(`${at}.protocol`, port.protocol ?? "", PROTOCOLS)]),
    ];
  });
}

function validatePortName(path: string, name: string | undefined, names: Set<string>): readonly FieldError[] {
  if (!name) return [];
  const errors = portNameProblems(name).map((why) => invalid(path, name, why));
  if (names.has(name)) errors.push(duplicate(path, name));
  names.add(name);
  return errors;
}

function validateHostPort(
  path: string,
  { hostPort, hostIP = "", containerPort, protocol }: ContainerPort,
  around: Surroundings,
): readonly FieldError[] {
  if (!hostPort) return [];
  const errors = [...validPort(path, hostPort)];
  if (around.hostNetwork && hostPort !== containerPort) errors.push(invalid(path, hostPort, HOST_PORT_RULE));
  const key = `${protocol}/${hostIP}/${hostPort}`;
  if (around.hostPorts.has(key)) errors.push(duplicate(path, key));
  around.hostPorts.add(key);
  return errors;
}

/** Printable ASCII without the sign that ends the name. */
const ENV_NAME = /^[ -<>-~]+$/;
const ENV_RULE =
  "a valid environment variable name must consist only of printable ASCII characters other than '='";

function validateEnv(path: string, { name, value = "", valueFrom }: EnvVar): readonly FieldError[] {
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  else if (!ENV_NAME.test(name)) errors.push(invalid(`${path}.name`, name, ENV_RULE));
  if (valueFrom === undefined) return errors;
  const sources = Object.values(valueFrom).filter((source) => source !== undefined);
  if (sources.length === 0)
    errors.push(
      invalid(
        `${path}.valueFrom`,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
      ),
    );
  else if (value !== "")
    errors.push(invalid(`${path}.valueFrom`, "", "may not be specified when `value` is not empty"));
  else if (sources.length > 1)
    errors.push(invalid(`${path}.valueFrom`, "", "may not have more than one field specified at a time"));
  for (const source of ["configMapKeyRef", "secretKeyRef"] as const)
    if (valueFrom[source] !== undefined && !valueFrom[source].key)
      errors.push(required(`${path}.valueFrom.${source}.key`));
  if (valueFrom.fieldRef !== undefined && !valueFrom.fieldRef.fieldPath)
    errors.push(required(`${path}.valueFrom.fieldRef.fieldPath`));
  return errors;
}

function validateMounts(
  path: string,
  mounts: readonly VolumeMount[] | undefined,
  volumes: ReadonlySet<string>,
): readonly FieldError[] {
  const seen = new Set<string>();
  return (mounts ?? []).flatMap(({ name, mountPath, subPath = "" }, i) => {
    const at = `${path}[${i}]`;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(`${at}.name`));
    else if (!volumes.has(name)) errors.push(notFound(`${at}.name`, name));
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    else if (seen.has(mountPath)) errors.push(invalid(`${at}.mountPath`, mountPath, "must be unique"));
    seen.add(mountPath);
    if (subPath.startsWith("/")) errors.push(invalid(`${at}.subPath`, subPath, "must be a relative path"));
    if (subPath.split("/").includes(".."))
      errors.push(invalid(`${at}.subPath`, subPath, "must not contain '..'"));
    return errors;
  });
}
