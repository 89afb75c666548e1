import type { PidScope, SandboxConfig } from "../runtime.ts";
import type { Request } from "./codec.ts";
import type { NamespaceMode, Protocol } from "./generated/types.ts";
import { LABEL } from "./names.ts";

export type SandboxRequest = NonNullable<Request<"RunPodSandbox">["config"]>;

const PID_MODES: Readonly<Record<PidScope, NamespaceMode>> = {
  container: "CONTAINER",
  pod: "POD",
  node: "NODE",
};
const PROTOCOLS: Readonly<Record<string, Protocol>> = { TCP: "TCP", UDP: "UDP", SCTP: "SCTP" };

/** A pod's sandbox as the runtime is asked for it. */
export function sandboxRequest(config: SandboxConfig): SandboxRequest {
  const { podUid, podName, podNamespace, attempt } = config;
  return {
    metadata: { name: podName, uid: podUid, namespace: podNamespace, attempt },
    hostname: config.hostname,
    logDirectory: config.logDir,
    dnsConfig: config.dns,
    portMappings: config.portMappings.map(({ hostPort, containerPort, protocol, hostIP }) => ({
      protocol: PROTOCOLS[protocol.toUpperCase()] ?? "TCP",
      containerPort,
      hostPort,
      hostIp: hostIP,
    })),
    labels: {
      ...config.labels,
      [LABEL.podName]: podName,
      [LABEL.podNamespace]: podNamespace,
      [LABEL.podUid]: podUid,
    },
    annotations: config.annotations,
    linux: {
      cgroupParent: config.cgroupParent ?? "",
      sysctls: config.sysctls,
      securityContext: {
        namespaceOptions: namespaceOptions(config),
        privileged: config.isPrivileged,
        seccomp: { profileType: "RuntimeDefault" },
        supplementalGroups: config.supplementalGroups.map(BigInt),
        ...userOf(config),
      },
    },
  };
}

/** Which namespaces the sandbox has, and its containers with it. */
export function namespaceOptions({
  isHostNetwork,
  ipc,
  pid,
}: Pick<SandboxConfig, "isHostNetwork" | "ipc" | "pid">): {
  network: NamespaceMode;
  ipc: NamespaceMode;
  pid: NamespaceMode;
} {
  return {
    network: isHostNetwork ? "NODE" : "POD",
    ipc: ipc === "node" ? "NODE" : "POD",
    pid: PID_MODES[pid],
  };
}

/** Runtimes refuse a group without a user. */
function userOf({ uid, gid }: SandboxConfig): {
  runAsUser?: { value: bigint };
  runAsGroup?: { value: bigint };
} {
  if (uid === undefined && gid === undefined) return {};
  return {
    runAsUser: { value: BigInt(uid ?? 0) },
    ...(gid === undefined ? {} : { runAsGroup: { value: BigInt(gid) } }),
  };
}
