import type { Container, ContainerPort, PodSpec } from "#kube/generated/types";
import { duplicate, invalid, notSupported, problems, required } from "../field/error.ts";
import { labelProblems } from "../field/names.ts";
import { portNameProblems, validPort } from "../field/numbers.ts";
import type { FieldError } from "../kind.ts";
import { validateEnvironment } from "./env-validation.ts";
import { validateMounts } from "./mount-validation.ts";
import { forbidProbes, validateProbes } from "./probe-validation.ts";
import { validateResources } from "./resource-validation.ts";
import { validateResizePolicy, validateRestartPolicy } from "./restart-validation.ts";
import { validateSecurityContext } from "./security-validation.ts";
import type { Volumes } from "./volume-validation.ts";

const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const MESSAGE_POLICIES = ["File", "FallbackToLogsOnError"];
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const HOST_PORT_RULE = "must match `containerPort` when `hostNetwork` is true";

/** What the pod around a container says about it. */
export interface Around {
  readonly volumes: Volumes;
  /** Names of the pod's resource claims. */
  readonly claims: ReadonlySet<string>;
  readonly spec: PodSpec;
  /** A pod, not a template: then images are spelled exactly, and host ports are filled in. */
  readonly isPod: boolean;
}

export function validateContainers(path: string, around: Around): readonly FieldError[] {
  const { spec } = around;
  const at = `${path}.containers`;
  const main = spec.containers ?? [];
  if (main.length === 0) return [required(at), ...validateInit(`${path}.initContainers`, around)];
  const names = new Set<string>();
  return [
    ...main.flatMap((container, i) => [
      ...validateCommon(`${at}[${i}]`, container, around),
      ...takeName(`${at}[${i}].name`, container.name, names),
      ...validateProbes(`${at}[${i}]`, container, spec.terminationGracePeriodSeconds),
      ...validateRestartPolicy(`${at}[${i}]`, container),
    ]),
    ...validateHostPorts(at, main),
    ...validateInit(`${path}.initContainers`, around),
    ...validateHostNetwork(at, around),
  ];
}

/** Those that run before; of them, only the ones that run on beside the others have probes. */
function validateInit(path: string, around: Around): readonly FieldError[] {
  const { spec } = around;
  const names = new Set((spec.containers ?? []).map(({ name }) => name));
  return (spec.initContainers ?? []).flatMap((container, i) => {
    const at = `${path}[${i}]`;
    return [
      ...validateCommon(at, container, around),
      ...validateRestartPolicy(at, container),
      ...takeName(`${at}.name`, container.name, names),
      ...validateHostPorts(path, [container]),
      ...(container.restartPolicy === "Always"
        ? validateProbes(at, container, spec.terminationGracePeriodSeconds)
        : forbidProbes(at, container)),
    ];
  });
}

/** What is wrong with any container: one that runs, one that runs before, or one added to debug. */
export function validateCommon(path: string, container: Container, around: Around): readonly FieldError[] {
  const { name, resources } = container;
  return [
    ...(name ? problems(`${path}.name`, name, labelProblems(name)) : [required(`${path}.name`)]),
    ...validateImage(path, container, around),
    ...oneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, MESSAGE_POLICIES),
    ...validatePorts(`${path}.ports`, container.ports),
    ...validateEnvironment(path, container),
    ...validateMounts(path, container, around.volumes),
    ...oneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, PULL_POLICIES),
    ...validateResources(`${path}.resources`, resources, "container", around.claims),
    ...validateResizePolicy(`${path}.resizePolicy`, container.resizePolicy, around.spec.restartPolicy),
    ...validateSecurityContext(
      `${path}.securityContext`,
      container.securityContext,
      around.spec.hostUsers !== false,
    ),
  ];
}

function validateImage(path: string, { image = "" }: Container, { isPod }: Around): readonly FieldError[] {
  if (image === "") return [required(`${path}.image`)];
  return isPod && image !== image.trim()
    ? [invalid(`${path}.image`, image, "must not have leading or trailing whitespace")]
    : [];
}

function oneOf(path: string, value: string | undefined, known: readonly string[]): readonly FieldError[] {
  if (!value) return [required(path)];
  return known.includes(value) ? [] : [notSupported(path, value, known)];
}

/** Names of containers are told apart, over all of a pod. */
export function takeName(path: string, name: string, names: Set<string>): readonly FieldError[] {
  if (!name) return [];
  if (names.has(name)) return [duplicate(path, name)];
  names.add(name);
  return [];
}

function validatePorts(path: string, ports: readonly ContainerPort[] | undefined): readonly FieldError[] {
  const names = new Set<string>();
  return (ports ?? []).flatMap(({ name = "", containerPort, hostPort, protocol }, i) => {
    const at = `${path}[${i}]`;
    const whys = name === "" ? [] : portNameProblems(name);
    return [
      ...problems(`${at}.name`, name, whys),
      ...(whys.length === 0 ? takeName(`${at}.name`, name, names) : []),
      ...(containerPort
        ? validPort(`${at}.containerPort`, containerPort)
        : [required(`${at}.containerPort`)]),
      ...(hostPort ? validPort(`${at}.hostPort`, hostPort) : []),
      ...oneOf(`${at}.protocol`, protocol, PROTOCOLS),
    ];
  });
}

/** A port of the host is taken once, by protocol and address. */
function validateHostPorts(path: string, containers: readonly Container[]): readonly FieldError[] {
  const taken = new Set<string>();
  return containers.flatMap(({ ports = [] }, i) =>
    ports.flatMap(({ protocol, hostIP = "", hostPort }, j) => {
      if (!hostPort) return [];
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) return [duplicate(`${path}[${i}].ports[${j}].hostPort`, key)];
      taken.add(key);
      return [];
    }),
  );
}

/** On the host's network a container's port is the host's. */
function validateHostNetwork(path: string, { spec, isPod }: Around): readonly FieldError[] {
  if (spec.hostNetwork !== true) return [];
  return (spec.containers ?? []).flatMap(({ ports = [] }, i) =>
    ports.flatMap(({ hostPort = 0, containerPort }, j) => {
      const mayDiffer = hostPort === containerPort || (!isPod && hostPort === 0);
      return mayDiffer ? [] : [invalid(`${path}[${i}].ports[${j}].hostPort`, hostPort, HOST_PORT_RULE)];
    }),
  );
}
