import type { Pod } from "#kube/generated/types";
import { podHostname } from "../files/hostname.ts";
import { resolverConfig } from "../files/resolv-conf.ts";
import type { PidScope, SandboxConfig } from "../runtime/runtime.ts";
import { type PodContext, podLogFolder } from "./context.ts";
import { hostPorts } from "./host-ports.ts";
import { podGroups } from "./security.ts";

/** What a pod's sandbox is made with. */
export function sandboxConfig(
  pod: Pod,
  { settings, cgroups }: PodContext,
  { attempt, runtimeHandler }: { attempt: number; runtimeHandler: string },
): SandboxConfig {
  const { metadata, spec } = pod;
  const isHostNetwork = spec?.hostNetwork === true;
  const context = spec?.securityContext;
  return {
    podUid: metadata.uid ?? "",
    podName: metadata.name,
    podNamespace: metadata.namespace ?? "",
    attempt,
    isHostNetwork,
    portMappings: hostPorts(pod),
    sysctls: Object.fromEntries(
      (context?.sysctls ?? []).map(({ name, value }) => [name.replaceAll("/", "."), value]),
    ),
    hostname: isHostNetwork ? "" : podHostname(pod, settings.clusterDomain).hostname,
    dns: resolverConfig(spec ?? {}, metadata.namespace ?? "", {
      clusterDns: settings.clusterDns,
      clusterDomain: settings.clusterDomain,
      node: settings.nodeResolver(),
    }).config,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    logDir: podLogFolder(settings.podLogsDir, pod),
    cgroupParent: cgroups.pathOf(pod),
    ipc: spec?.hostIPC === true ? "node" : "pod",
    pid: pidScope(pod),
    isPrivileged: hasPrivileged(pod),
    uid: context?.runAsUser,
    gid: context?.runAsGroup,
    supplementalGroups: podGroups(pod),
    runtimeHandler,
    hasOwnUsers: spec?.hostUsers === false,
  };
}

export function pidScope({ spec }: Pod): PidScope {
  if (spec?.hostPID === true) return "node";
  return spec?.shareProcessNamespace === true ? "pod" : "container";
}

function hasPrivileged({ spec }: Pod): boolean {
  const all = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  return all.some(({ securityContext }) => securityContext?.privileged === true);
}
