import type { Container, ContainerPort, NodeSelectorTerm, ObjectMeta, PodSpec } from "#kube/generated/types";
import { formatQuantity, parseQuantity } from "#kube/quantity";
import { ipWarnings } from "../field/addresses.ts";
import { labelProblems, labelValueProblems } from "../field/names.ts";
import { pathWarnings } from "./path-warnings.ts";
import { appArmorWarnings } from "./profile-annotations.ts";

/** A pod, or the template of one. */
interface PodLike {
  readonly metadata?: Partial<Pick<ObjectMeta, "annotations" | "name">> | undefined;
  readonly spec?: PodSpec | undefined;
}

/** What kube-apiserver says to whoever writes such a pod or template: `path` is empty for a pod. @see pkg/api/pod/warnings.go */
export function podWarnings(path: string, pod: PodLike, stored: object | undefined): readonly string[] {
  const { spec, metadata } = pod;
  if (spec === undefined) return [];
  const at = path === "" ? "spec" : `${path}.spec`;
  return [
    ...(path === "" && stored === undefined ? nameWarnings(metadata?.name ?? "") : []),
    ...labelWarnings(at, spec),
    ...annotationWarnings(path, metadata?.annotations ?? {}),
    ...volumeWarnings(`${at}.volumes`, spec),
    ...pathWarnings(spec.volumes ?? []),
    ...repeated(
      `${at}.hostAliases`,
      "ip",
      (spec.hostAliases ?? []).map(({ ip }) => ip),
    ),
    ...repeated(
      `${at}.imagePullSecrets`,
      "name",
      (spec.imagePullSecrets ?? []).map(({ name = "" }) => name),
    ),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, i) =>
      name ? [] : [`${at}.imagePullSecrets[${i}].name: invalid empty name ""`],
    ),
    ...fractions(`${at}.overhead`, spec.overhead),
    ...containersOf(at, spec).flatMap(([place, container]) => containerWarnings(place, container)),
    ...(path === "" ? [] : appArmorWarnings(path, metadata?.annotations, spec)),
    ...portWarnings(containersOf(at, spec)),
    ...portNameWarnings(containersOf(at, spec)),
    ...graceWarnings(at, spec),
    ...affinityWarnings(`${at}.affinity`, spec),
    ...(spec.dnsConfig?.nameservers ?? []).flatMap((ip, i) =>
      ipWarnings(`${at}.dnsConfig.nameservers[${i}]`, ip),
    ),
    ...(spec.hostAliases ?? []).flatMap(({ ip }, i) => ipWarnings(`${at}.hostAliases[${i}].ip`, ip)),
  ];
}

/** Pods of a workload have its name, and their hosts have theirs. */
export function podNameWarnings(name: string, stored: object | undefined): readonly string[] {
  const whys = stored === undefined && name !== "" ? labelProblems(name) : [];
  if (whys.length === 0) return [];
  return [
    `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${whys.join(" ")}]`,
  ];
}

function nameWarnings(name: string): readonly string[] {
  if (name === "" || labelProblems(name).length === 0) return [];
  return [
    `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${labelProblems(name).join(" ")}]`,
  ];
}

const DEPRECATED_LABELS: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
  "failure-domain.beta.kubernetes.io/region":
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  "failure-domain.beta.kubernetes.io/zone":
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  "beta.kubernetes.io/instance-type":
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
};

function labelWarnings(at: string, spec: PodSpec): readonly string[] {
  const affinity = spec.affinity?.nodeAffinity;
  const must = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const may = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const base = `${at}.affinity.nodeAffinity`;
  return [
    ...Object.keys(spec.nodeSelector ?? {}).flatMap((key) => deprecated(`${at}.nodeSelector[${key}]`, key)),
    ...must.flatMap((term, i) =>
      termWarnings(`${base}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[${i}]`, term),
    ),
    ...may.flatMap(({ preference = {} }, i) =>
      termWarnings(`${base}.preferredDuringSchedulingIgnoredDuringExecution[${i}].preference`, preference, {
        checksValues: true,
      }),
    ),
    ...(spec.topologySpreadConstraints ?? []).flatMap(({ topologyKey, labelSelector }, i) => {
      const place = `${at}.topologySpreadConstraints[${i}]`;
      const why = DEPRECATED_LABELS[topologyKey];
      return [
        ...(why === undefined ? [] : [`${place}.topologyKey: ${topologyKey} is ${why}`]),
        ...(labelSelector === undefined
          ? [`${place}.labelSelector: a null labelSelector results in matching no pod`]
          : []),
      ];
    }),
  ];
}

/** What is only preferred may have values that no label has. */
function termWarnings(
  at: string,
  { matchExpressions = [] }: NodeSelectorTerm,
  { checksValues = false } = {},
): readonly string[] {
  return matchExpressions.flatMap(({ key, values = [] }, i) => {
    const place = `${at}.matchExpressions[${i}]`;
    const why = DEPRECATED_LABELS[key];
    const bad = (checksValues ? values : []).flatMap((value, j) =>
      labelValueProblems(value).map((what) => `${place}.values[${j}]: ${value} is invalid, ${what}`),
    );
    return [...(why === undefined ? [] : [`${place}.key: ${key} is ${why}`]), ...bad];
  });
}

function deprecated(at: string, key: string): readonly string[] {
  const why = DEPRECATED_LABELS[key];
  return why === undefined ? [] : [`${at}: ${why}`];
}

const DEPRECATED_ANNOTATIONS: Readonly<Record<string, string>> = {
  "scheduler.alpha.kubernetes.io/critical-pod":
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
  "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
};
const SECCOMP = /^(?:container\.)?seccomp\.security\.alpha\.kubernetes\.io\/(?:pod$)?/;

function annotationWarnings(path: string, annotations: Readonly<Record<string, string>>): readonly string[] {
  const base = path === "" ? "metadata.annotations" : `${path}.metadata.annotations`;
  return Object.keys(annotations).flatMap((key) => {
    const why =
      DEPRECATED_ANNOTATIONS[key] ??
      (SECCOMP.test(key) ? 'non-functional in v1.27+; use the "seccompProfile" field instead' : undefined);
    return why === undefined ? [] : [`${base}[${key}]: ${why}`];
  });
}

const DEPRECATED_VOLUMES: Readonly<Record<string, string>> = {
  photonPersistentDisk: "deprecated in v1.11, non-functional in v1.16+",
  gitRepo: "deprecated in v1.11, and disabled by default in v1.33+",
  scaleIO: "deprecated in v1.16, non-functional in v1.22+",
  flocker: "deprecated in v1.22, non-functional in v1.25+",
  storageos: "deprecated in v1.22, non-functional in v1.25+",
  quobyte: "deprecated in v1.22, non-functional in v1.25+",
  glusterfs: "deprecated in v1.25, non-functional in v1.26+",
  cephfs: "deprecated in v1.28, non-functional in v1.31+",
  rbd: "deprecated in v1.28, non-functional in v1.31+",
};

function volumeWarnings(at: string, { volumes = [] }: PodSpec): readonly string[] {
  return volumes.flatMap((volume, i) =>
    Object.keys(volume).flatMap((type) => {
      const why = DEPRECATED_VOLUMES[type];
      return why === undefined ? [] : [`${at}[${i}].${type === "storageos" ? "storageOS" : type}: ${why}`];
    }),
  );
}

function repeated(at: string, field: string, values: readonly string[]): readonly string[] {
  return values.flatMap((value, i) =>
    values.indexOf(value) < i ? [`${at}[${i}].${field}: duplicate ${field} ${JSON.stringify(value)}`] : [],
  );
}

function fractions(
  at: string,
  amounts: Readonly<Record<string, string | number>> | undefined,
): readonly string[] {
  return ["memory", "ephemeral-storage"].flatMap((name) => {
    const quantity = parseQuantity(String(amounts?.[name] ?? "0"));
    if (quantity === undefined || quantity.nanos % 1_000_000_000n === 0n) return [];
    const text = JSON.stringify(formatQuantity(quantity));
    return [`${at}[${name}]: fractional byte value ${text} is invalid, must be an integer`];
  });
}

function containerWarnings(at: string, { env = [], resources }: Container): readonly string[] {
  const hidden = env.flatMap(({ name, value = "", valueFrom }, i) => {
    const isRepeated = env.findIndex((other) => other.name === name) < i;
    const own = `$(${name})`;
    // a value made of the one before it is no mistake
    if (!isRepeated || (valueFrom === undefined && value !== own && value.includes(own))) return [];
    return [
      `${at}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
    ];
  });
  return [
    ...fractions(`${at}.resources.limits`, resources?.limits),
    ...fractions(`${at}.resources.requests`, resources?.requests),
    ...hidden,
  ];
}

function portWarnings(containers: readonly (readonly [string, Container])[]): readonly string[] {
  const seen: { readonly at: string; readonly port: ContainerPort }[] = [];
  const warnings: string[] = [];
  for (const [place, { ports = [] }] of containers)
    for (const [i, port] of ports.entries()) {
      const at = `${place}.ports[${i}]`;
      if (port.hostIP && !port.hostPort) warnings.push(`${at}: hostIP set without hostPort: ${goPort(port)}`);
      for (const other of seen)
        if (other.port.containerPort === port.containerPort && other.port.protocol === port.protocol)
          warnings.push(...overlap(at, port, other));
      seen.push({ at, port });
    }
  return warnings;
}

function overlap(
  at: string,
  a: ContainerPort,
  other: { at: string; port: ContainerPort },
): readonly string[] {
  const b = other.port;
  const portA = a.hostPort ?? 0;
  const portB = b.hostPort ?? 0;
  const ipA = a.hostIP ?? "";
  const ipB = b.hostIP ?? "";
  if (ipA === ipB && portA === portB) return [`${at}: duplicate port definition with ${other.at}`];
  if (portA === 0 || portB === 0) return [`${at}: overlapping port definition with ${other.at}`];
  if (portA === portB && (ipA === "") !== (ipB === ""))
    return [`${at}: dangerously ambiguous port definition with ${other.at}`];
  return [];
}

function goPort({ name = "", hostPort = 0, containerPort, protocol, hostIP = "" }: ContainerPort): string {
  return `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;
}

function portNameWarnings(containers: readonly (readonly [string, Container])[]): readonly string[] {
  const first = new Map<string, string>();
  return containers.flatMap(([place, { ports = [] }]) =>
    ports.flatMap(({ name }, i) => {
      const at = `${place}.ports[${i}]`;
      const other = name ? first.get(name) : undefined;
      if (name && other === undefined) first.set(name, at);
      if (other === undefined) return [];
      return [
        `${at}: duplicate port name ${JSON.stringify(name)} with ${other}, services and probes that select ports by name will use ${other}`,
      ];
    }),
  );
}

/** Terms without a selector: they select nobody. */
function affinityWarnings(at: string, { affinity }: PodSpec): readonly string[] {
  return (["podAffinity", "podAntiAffinity"] as const).flatMap((field) => {
    const {
      requiredDuringSchedulingIgnoredDuringExecution: must = [],
      preferredDuringSchedulingIgnoredDuringExecution: may = [],
    } = affinity?.[field] ?? {};
    const base = `${at}.${field}`;
    const nobody = (place: string) =>
      `${place}.labelSelector: a null labelSelector results in matching no pod`;
    return [
      ...must.flatMap(({ labelSelector }, i) =>
        labelSelector === undefined
          ? [nobody(`${base}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`)]
          : [],
      ),
      ...may.flatMap(({ podAffinityTerm }, i) =>
        podAffinityTerm?.labelSelector === undefined
          ? [nobody(`${base}.preferredDuringSchedulingIgnoredDuringExecution[${i}].podAffinityTerm`)]
          : [],
      ),
    ];
  });
}

function graceWarnings(at: string, { terminationGracePeriodSeconds: grace }: PodSpec): readonly string[] {
  return grace !== undefined && grace < 0
    ? [
        `${at}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
      ]
    : [];
}

function containersOf(at: string, spec: PodSpec): readonly (readonly [string, Container])[] {
  return (["initContainers", "containers"] as const).flatMap((field) =>
    (spec[field] ?? []).map((container, i) => [`${at}.${field}[${i}]`, container] as const),
  );
}
