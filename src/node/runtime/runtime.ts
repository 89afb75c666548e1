import type { Ip } from "#addr/ip";
import type { Fault } from "#fault/fault";
import type { PortMapping } from "../network.ts";

/** What holds a pod's namespaces; one per pod, made again when it is lost (a reboot). */
export interface Sandbox {
  readonly id: string;
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly attempt: number;
  readonly createdAt: string;
  readonly isHostNetwork: boolean;
  /** Empty with the host's network. */
  readonly ips: readonly Ip[];
  /** False once its namespaces are gone or its network was taken away. */
  readonly isReady: boolean;
}

export interface SandboxConfig {
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly attempt: number;
  readonly isHostNetwork: boolean;
  readonly portMappings: readonly PortMapping[];
  readonly sysctls: Readonly<Record<string, string>>;
}

export interface ContainerExit {
  readonly code: number;
  readonly finishedAt: string;
  readonly reason: string;
  readonly message: string;
}

/** One run of a container: a restart is another one with the next attempt. */
export interface Run {
  readonly id: string;
  readonly podUid: string;
  readonly name: string;
  readonly attempt: number;
  /** As the pod's spec has it. */
  readonly image: string;
  readonly imageRef: string;
  /** Of what may not change without a restart. */
  readonly hash: string;
  readonly createdAt: string;
  readonly startedAt: string;
  readonly exit: ContainerExit | undefined;
  readonly logPath: string;
}

export interface VolumeBind {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly isReadOnly: boolean;
  readonly propagation: "private" | "slave" | "shared";
}

export interface ContainerConfig {
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  readonly imageRef: string;
  readonly hash: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string | undefined;
  readonly hostname: string | undefined;
  readonly binds: readonly VolumeBind[];
  /** `<pod log folder>/<container>/<attempt>.log`; its folder stands. */
  readonly logPath: string;
  readonly terminationMessage: { readonly path: string; readonly fallBackToLogs: boolean };
  readonly isReadOnlyRoot: boolean;
  readonly isHostPid: boolean;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export interface ExecResult {
  readonly code: number;
  readonly output: string;
  readonly isTimedOut: boolean;
}

export type ImageFault = Fault<"ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull">;

/** What runs containers. Everything it says survives the agent: after a restart it knows what it started before. */
export interface Runtime {
  /** The scheme of container IDs: `process`. */
  readonly name: string;
  readonly version: string;
  podUids(): readonly string[];
  sandbox(podUid: string): Sandbox | undefined;
  /** Newest first within a name. */
  runs(podUid: string): readonly Run[];
  /** Hears of pods of which a container ended. Returns the way to stop hearing. */
  subscribe(listener: (podUid: string) => void): () => void;
  /** @throws {Fault} "NetworkNotReady" or what the network or the kernel refused */
  runSandbox(config: SandboxConfig): Promise<Sandbox>;
  /** Takes the network and the namespaces away; absent is success. */
  stopSandbox(podUid: string): Promise<void>;
  /** Forgets a pod whose containers have ended. */
  removePod(podUid: string): Promise<void>;
  /** Makes the image ready to run. @throws {ImageFault} */
  ensureImage(image: string): Promise<{ readonly imageRef: string; readonly wasPresent: boolean }>;
  /** @throws {Fault} "CreateContainerError" or "StartError" */
  startContainer(config: ContainerConfig): Promise<Run>;
  /** SIGTERM, then SIGKILL once `graceMs` are over; resolves when the container has ended. A shorter grace given later wins. */
  stopContainer(id: string, options: { graceMs: number }): Promise<void>;
  exec(
    id: string,
    options: { command: readonly string[]; timeoutMs: number | undefined },
  ): Promise<ExecResult>;
}
