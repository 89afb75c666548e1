import { relative } from "node:path";
import type { ContainerConfig, FoundImage, Resources, VolumeBind } from "../runtime.ts";
import type { Request } from "./codec.ts";
import type { MountPropagation } from "./generated/types.ts";
import { ANNOTATION, LABEL } from "./names.ts";
import { sandboxRequest } from "./sandbox-request.ts";
import { securityRequest } from "./security-request.ts";

export type ContainerRequest = NonNullable<Request<"CreateContainer">["config"]>;
type ResourcesRequest = NonNullable<Request<"UpdateContainerResources">["linux"]>;

const PROPAGATION: Readonly<Record<VolumeBind["propagation"], MountPropagation>> = {
  private: "PROPAGATION_PRIVATE",
  slave: "PROPAGATION_HOST_TO_CONTAINER",
  shared: "PROPAGATION_BIDIRECTIONAL",
};

export interface ContainerPlace {
  readonly sandboxId: string;
  /** On the host, where what the container writes to its termination message path goes. */
  readonly terminationFile: string;
  readonly imageUser: FoundImage["user"];
}

/** A container as the runtime is asked to create it. */
export function createRequest(config: ContainerConfig, place: ContainerPlace): Request<"CreateContainer"> {
  return {
    podSandboxId: place.sandboxId,
    config: containerRequest(config, place),
    sandboxConfig: sandboxRequest(config.sandbox),
  };
}

function containerRequest(config: ContainerConfig, place: ContainerPlace): ContainerRequest {
  const { name, attempt, sandbox } = config;
  return {
    metadata: { name, attempt },
    image: { image: config.imageRef, userSpecifiedImage: config.image },
    command: config.command,
    args: config.args,
    workingDir: config.workingDir ?? "",
    envs: Object.entries(config.env).map(([key, value]) => ({ key, value })),
    mounts: mounts(config, place.terminationFile),
    labels: {
      [LABEL.podName]: config.podName,
      [LABEL.podNamespace]: config.podNamespace,
      [LABEL.podUid]: config.podUid,
      [LABEL.container]: name,
    },
    annotations: annotations(config),
    logPath: relative(sandbox.logDir, config.logPath),
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    tty: config.tty,
    linux: {
      resources: resourcesRequest(config.resources),
      securityContext: securityRequest(config, place.imageUser),
    },
  };
}

/** Limits in the kernel's own units; what is absent is not limited. */
export function resourcesRequest(resources: Resources): ResourcesRequest {
  const { cpuShares, cpuQuotaMicros, cpuPeriodMicros, memoryBytes, oomScoreAdj, hugePages = {} } = resources;
  return {
    cpuShares: BigInt(cpuShares ?? 0),
    cpuQuota: BigInt(cpuQuotaMicros ?? 0),
    cpuPeriod: BigInt(cpuPeriodMicros ?? 0),
    memoryLimitInBytes: BigInt(memoryBytes ?? 0),
    oomScoreAdj: BigInt(oomScoreAdj ?? 0),
    hugepageLimits: Object.entries(hugePages).map(([pageSize, bytes]) => ({
      pageSize,
      limit: BigInt(bytes),
    })),
  };
}

function mounts(
  { binds, terminationMessage }: ContainerConfig,
  terminationFile: string,
): NonNullable<ContainerRequest["mounts"]> {
  const own = binds.map(({ hostPath, containerPath, isReadOnly, propagation, isReadOnlyBelow, image }) => ({
    hostPath,
    containerPath,
    readonly: isReadOnly,
    ...(isReadOnlyBelow ? { recursiveReadOnly: true } : {}),
    propagation: PROPAGATION[propagation],
    ...(image ? imageMount(image) : {}),
  }));
  // A volume mounted right there is the pod's own way to hear of its messages.
  if (own.some(({ containerPath }) => containerPath === terminationMessage.path)) return own;
  return [...own, { hostPath: terminationFile, containerPath: terminationMessage.path }];
}

function imageMount({ ref, name, subPath }: NonNullable<VolumeBind["image"]>) {
  return { image: { image: ref, userSpecifiedImage: name }, imageSubPath: subPath };
}

function annotations(config: ContainerConfig): Readonly<Record<string, string>> {
  return {
    ...config.annotations,
    [ANNOTATION.hash]: config.hash,
    [ANNOTATION.restartCount]: String(config.attempt),
    [ANNOTATION.terminationPath]: config.terminationMessage.path,
    [ANNOTATION.terminationPolicy]: config.terminationMessage.fallBackToLogs
      ? "FallbackToLogsOnError"
      : "File",
    [ANNOTATION.image]: config.image,
  };
}
