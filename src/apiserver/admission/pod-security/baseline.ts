import type { Container, LifecycleHandler, Probe } from "#kube/generated/types";
import { appArmor, seccompAnnotations, seccompTypes, seLinux } from "./profiles.ts";
import {
  type Check,
  containersOf,
  type Finding,
  named,
  namesOf,
  type PodLike,
  plural,
  quoted,
  setters,
  sorted,
} from "./words.ts";

const CAPABILITIES = new Set(
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split(
    " ",
  ),
);
const SYSCTLS = [
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.ping_group_range",
  "net.ipv4.ip_unprivileged_port_start",
];
const SYSCTLS_27 = [...SYSCTLS, "net.ipv4.ip_local_reserved_ports"];
const SYSCTLS_29 = [
  ...SYSCTLS_27,
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
];
const SYSCTLS_32 = [...SYSCTLS_29, "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"];

/** What no pod may do that is not trusted with its node. */
export const BASELINE: readonly Check[] = [
  { id: "appArmorProfile", since: 0, find: appArmor },
  { id: "capabilities_baseline", since: 0, find: addedCapabilities },
  { id: "hostNamespaces", since: 0, find: hostNamespaces },
  { id: "hostPathVolumes", since: 0, find: hostPaths },
  { id: "hostPorts", since: 0, find: hostPorts },
  { id: "hostProbesAndHostLifecycle", since: 34, find: probeHosts },
  { id: "privileged", since: 0, find: privileged },
  { id: "procMount", since: 0, find: procMount },
  { id: "procMount", since: 35, find: (pod) => (hasOwnUsers(pod) ? undefined : procMount(pod)) },
  { id: "seLinuxOptions", since: 0, find: (pod) => seLinux(pod, false) },
  { id: "seLinuxOptions", since: 31, find: (pod) => seLinux(pod, true) },
  { id: "seccompProfile_baseline", since: 0, find: seccompAnnotations },
  { id: "seccompProfile_baseline", since: 19, find: seccompTypes },
  { id: "sysctls", since: 0, find: (pod) => sysctls(pod, SYSCTLS) },
  { id: "sysctls", since: 27, find: (pod) => sysctls(pod, SYSCTLS_27) },
  { id: "sysctls", since: 29, find: (pod) => sysctls(pod, SYSCTLS_29) },
  { id: "sysctls", since: 32, find: (pod) => sysctls(pod, SYSCTLS_32) },
  { id: "windowsHostProcess", since: 0, find: hostProcess },
];

/** Whether the pod's users are not the node's. */
export function hasOwnUsers({ spec }: PodLike): boolean {
  return spec?.hostUsers === false;
}

function addedCapabilities(pod: PodLike): Finding | undefined {
  const added = ({ securityContext }: Container) =>
    (securityContext?.capabilities?.add ?? []).filter((one) => !CAPABILITIES.has(one));
  const bad = namesOf(pod, (container) => added(container).length > 0);
  if (bad.length === 0) return undefined;
  const which = sorted(containersOf(pod).flatMap(added));
  return {
    reason: "non-default capabilities",
    detail: `${named("container", bad)} must not include ${quoted(which)} in securityContext.capabilities.add`,
  };
}

function hostNamespaces({ spec }: PodLike): Finding | undefined {
  const shared = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec?.[field] === true);
  if (shared.length === 0) return undefined;
  return { reason: "host namespaces", detail: shared.map((field) => `${field}=true`).join(", ") };
}

function hostPaths({ spec }: PodLike): Finding | undefined {
  const volumes = (spec?.volumes ?? [])
    .filter(({ hostPath }) => hostPath !== undefined)
    .map(({ name }) => name);
  return volumes.length === 0 ? undefined : { reason: "hostPath volumes", detail: named("volume", volumes) };
}

function hostPorts(pod: PodLike): Finding | undefined {
  const portsOf = ({ ports }: Container) =>
    (ports ?? []).flatMap(({ hostPort }) => (hostPort ? [String(hostPort)] : []));
  const bad = namesOf(pod, (container) => portsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const which = sorted(containersOf(pod).flatMap(portsOf));
  const use = bad.length === 1 ? "uses" : "use";
  return {
    reason: "hostPort",
    detail: `${named("container", bad)} ${use} ${plural("hostPort", which.length)} ${which.join(", ")}`,
  };
}

function probeHosts(pod: PodLike): Finding | undefined {
  const bad = sorted(namesOf(pod, (container) => hostsOf(container).length > 0));
  if (bad.length === 0) return undefined;
  const which = sorted(containersOf(pod).flatMap(hostsOf));
  const use = bad.length === 1 ? "uses" : "use";
  return {
    reason: "probe or lifecycle host",
    detail: `${named("container", bad)} ${use} ${plural("probe or lifecycle host", which.length)} ${quoted(which)}`,
  };
}

function hostsOf({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container): readonly string[] {
  const asked: readonly (Probe | LifecycleHandler | undefined)[] = [
    livenessProbe,
    readinessProbe,
    startupProbe,
    lifecycle?.postStart,
    lifecycle?.preStop,
  ];
  return asked
    .flatMap((one) => [one?.httpGet?.host ?? "", one?.tcpSocket?.host ?? ""])
    .filter((host) => host !== "");
}

function privileged(pod: PodLike): Finding | undefined {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (bad.length === 0) return undefined;
  return {
    reason: "privileged",
    detail: `${named("container", bad)} must not set securityContext.privileged=true`,
  };
}

/** Unmasked /proc shows the node's own. */
export function procMount(pod: PodLike): Finding | undefined {
  const typeOf = ({ securityContext }: Container) => securityContext?.procMount ?? "Default";
  const bad = namesOf(pod, (container) => typeOf(container) !== "Default");
  if (bad.length === 0) return undefined;
  const which = sorted(containersOf(pod).map(typeOf)).filter((type) => type !== "Default");
  return {
    reason: "procMount",
    detail: `${named("container", bad)} must not set securityContext.procMount to ${quoted(which)}`,
  };
}

function sysctls({ spec }: PodLike, allowed: readonly string[]): Finding | undefined {
  const bad = (spec?.securityContext?.sysctls ?? [])
    .map(({ name }) => name)
    .filter((name) => !allowed.includes(name));
  return bad.length === 0 ? undefined : { reason: "forbidden sysctls", detail: bad.join(", ") };
}

function hostProcess(pod: PodLike): Finding | undefined {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true);
  const who = setters(pod.spec?.securityContext?.windowsOptions?.hostProcess === true, bad);
  if (who === undefined) return undefined;
  return {
    reason: "hostProcess",
    detail: `${who} must not set securityContext.windowsOptions.hostProcess=true`,
  };
}
