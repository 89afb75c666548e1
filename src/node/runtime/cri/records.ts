import { type Ip, isIp } from "#addr/ip";
import type { ContainerExit, Run, Sandbox } from "../runtime.ts";
import type { Container, ContainerStatus, PodSandbox, PodSandboxStatus } from "./generated/types.ts";
import { ANNOTATION, LABEL } from "./names.ts";

/** A sandbox as the runtime lists it, with what only its status says. */
export interface SandboxRecord {
  readonly listed: PodSandbox;
  readonly status: PodSandboxStatus | undefined;
}

export interface ContainerRecord {
  readonly listed: Container;
  /** Undefined until it was started. */
  readonly status: ContainerStatus | undefined;
  /** What it said at its end. */
  readonly message: string;
}

/** All that the runtime has of one pod, newest first. */
export interface PodRecord {
  readonly uid: string;
  readonly sandboxes: readonly SandboxRecord[];
  readonly containers: readonly ContainerRecord[];
}

const UNKNOWN: Pick<ContainerExit, "code" | "reason" | "message"> = {
  code: 137,
  reason: "ContainerStatusUnknown",
  message: "The container runtime does not know what became of the container",
};

/** The pod's sandbox: the newest. */
export function sandboxOf({ sandboxes }: PodRecord): Sandbox | undefined {
  const [newest] = sandboxes;
  if (!newest) return undefined;
  const { listed, status } = newest;
  const isHostNetwork = status?.linux?.namespaces?.options?.network === "NODE";
  const ips = isHostNetwork ? [] : ipsOf(status);
  return {
    id: listed.id,
    podUid: podUidOf(listed),
    podName: listed.metadata?.name ?? "",
    podNamespace: listed.metadata?.namespace ?? "",
    attempt: listed.metadata?.attempt ?? 0,
    createdAt: formatNanos(listed.createdAt),
    isHostNetwork,
    ips,
    isReady: listed.state === "SANDBOX_READY" && (isHostNetwork || ips.length > 0),
  };
}

function ipsOf(status: PodSandboxStatus | undefined): readonly Ip[] {
  const { ip = "", additionalIps = [] } = status?.network ?? {};
  return [ip, ...additionalIps.map((more) => more.ip)].filter(isIp);
}

/** The runs of a pod's containers, newest first within a name. One that was created and never started is none. */
export function runsOf({ uid, containers }: PodRecord): readonly Run[] {
  return containers.flatMap(({ listed, status, message }) => {
    if (!status || status.state === "CONTAINER_CREATED") return [];
    const createdAt = formatNanos(status.createdAt);
    return [
      {
        id: listed.id,
        podUid: uid,
        name: nameOf(listed),
        attempt: attemptOf(listed),
        image: status.image?.image || (status.annotations[ANNOTATION.image] ?? ""),
        imageRef: status.imageRef,
        ...userOf(status),
        hash: status.annotations[ANNOTATION.hash] ?? "",
        createdAt,
        // A program that could not be executed never started.
        startedAt: status.startedAt > 0n ? formatNanos(status.startedAt) : createdAt,
        exit: exitOf(status, message),
        logPath: status.logPath,
      },
    ];
  });
}

/** containerd tells it since 2.0. */
function userOf({ user }: ContainerStatus): Pick<Run, "user"> {
  if (!user?.linux) return {};
  const { uid, gid, supplementalGroups } = user.linux;
  return {
    user: { uid: Number(uid), gid: Number(gid), supplementalGroups: supplementalGroups.map(Number) },
  };
}

function exitOf(status: ContainerStatus, message: string): ContainerExit | undefined {
  if (status.state === "CONTAINER_RUNNING") return undefined;
  const finishedAt = formatNanos(status.finishedAt > 0n ? status.finishedAt : status.createdAt);
  if (status.state !== "CONTAINER_EXITED") return { ...UNKNOWN, finishedAt };
  return {
    code: status.exitCode,
    finishedAt,
    reason: status.reason,
    message: [status.message, message].filter((part) => part !== "").join(": "),
  };
}

export function podUidOf({ labels, metadata }: Pick<PodSandbox, "labels" | "metadata">): string {
  return labels[LABEL.podUid] ?? metadata?.uid ?? "";
}

export function nameOf({ labels, metadata }: Container): string {
  return labels[LABEL.container] ?? metadata?.name ?? "";
}

export function attemptOf({ annotations, metadata }: Container): number {
  const told = Number(annotations[ANNOTATION.restartCount] ?? Number.NaN);
  return Number.isSafeInteger(told) ? told : (metadata?.attempt ?? 0);
}

/** RFC 3339 with nine fraction digits, of nanoseconds since the epoch. */
export function formatNanos(nanos: bigint): string {
  const whole = new Date(Number(nanos / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(nanos % 1_000_000_000n).padStart(9, "0")}Z`;
}
