import type { Duplex } from "node:stream";
import type { Ip } from "#addr/ip";
import type { Fault } from "#fault/fault";
import type { CommandEnd, CommandStreams } from "#kube/stream/session";
import type { ResolverConfig } from "../files/resolv-conf.ts";
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

/** Which processes see each other: those of one container, of the pod, or of the whole node. */
export type PidScope = "container" | "pod" | "node";

export interface SandboxConfig {
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly attempt: number;
  readonly isHostNetwork: boolean;
  readonly portMappings: readonly PortMapping[];
  /** Names with dots. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** The pod's; empty with the host's network, which keeps the node's. */
  readonly hostname: string;
  /** What `/etc/resolv.conf` says. */
  readonly dns: ResolverConfig;
  /** The pod's own. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `<pod logs>/<namespace>_<name>_<uid>`; it stands. */
  readonly logDir: string;
  /** The pod's cgroup below each controller's mount: `/kubepods/burstable/pod<uid>`; undefined: no limits are kept here. */
  readonly cgroupParent: string | undefined;
  readonly ipc: "pod" | "node";
  readonly pid: PidScope;
  /** Whether any container of the pod is. */
  readonly isPrivileged: boolean;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly supplementalGroups: readonly number[];
  /** Of the pod's RuntimeClass; empty is the default. */
  readonly runtimeHandler: string;
  /** With `hostUsers: false`: a user namespace of the pod's own, which a runtime has or refuses. */
  readonly hasOwnUsers?: boolean;
}

/** Who a program runs as: numbers, as the kernel has them. */
export interface RunUser {
  readonly uid: number;
  readonly gid: number;
  /** All its groups, its primary one among them. */
  readonly supplementalGroups: readonly number[];
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
  /** As the runtime calls it. */
  readonly image: string;
  readonly imageRef: string;
  /** Undefined of a runtime that does not say. */
  readonly user?: RunUser;
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
  /** What is mounted below it is read-only, too. */
  readonly isReadOnlyBelow?: boolean;
  /** An image, or a folder of it, is mounted, and nothing of the host. */
  readonly image?: { readonly ref: string; readonly name: string; readonly subPath: string };
}

export interface Resources {
  readonly cpuShares?: number;
  readonly cpuQuotaMicros?: number;
  readonly cpuPeriodMicros?: number;
  readonly memoryBytes?: number;
  readonly oomScoreAdj?: number;
  /** By page size, such as `2MB`, in bytes. */
  readonly hugePages?: Readonly<Record<string, number>>;
}

export interface Seccomp {
  readonly type: "RuntimeDefault" | "Unconfined" | "Localhost";
  /** Of the profile's file, with "Localhost". */
  readonly path?: string;
}

export interface Security {
  readonly uid: number | undefined;
  /** The user's name in the image's `/etc/passwd`; only without a `uid`. */
  readonly username?: string;
  readonly gid: number | undefined;
  /** Beside those that the image gives its user: fsGroup and the pod's supplementalGroups. */
  readonly supplementalGroups: readonly number[];
  /** The image's groups do not count. */
  readonly hasOnlyOwnGroups?: boolean;
  readonly isPrivileged: boolean;
  readonly isReadOnlyRoot: boolean;
  readonly mayGainPrivileges: boolean;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly seccomp: Seccomp;
  /** False with `procMount: Unmasked`. */
  readonly isProcMasked: boolean;
}

export interface ContainerConfig {
  readonly podUid: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly name: string;
  readonly attempt: number;
  readonly image: string;
  /** What `findImage` or `pullImage` said. */
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
  readonly stdin: boolean;
  /** Its input ends when the first client that attached leaves. */
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  /** Or the container (by its run's id) whose processes an ephemeral one is to see. */
  readonly pid: PidScope | { readonly target: string };
  readonly ipc: "pod" | "node";
  readonly security: Security;
  readonly resources: Resources;
  /** What an agent without a memory needs to end the container properly, by the kubelet's names. */
  readonly annotations: Readonly<Record<string, string>>;
  /** The config its sandbox was made with. */
  readonly sandbox: SandboxConfig;
}

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  /** Base64 of `user:password`. */
  readonly auth?: string;
  readonly serverAddress?: string;
  readonly identityToken?: string;
  readonly registryToken?: string;
}

/** An image that the runtime has, as containers are made of it. */
export interface FoundImage {
  /** What a container of it is made with; for a runtime with a store of images, the image's id there. */
  readonly imageRef: string;
  readonly sizeBytes?: number;
  /** The user the image runs as, when the pod's spec says none. */
  readonly user?: { readonly uid?: number; readonly name?: string };
}

/** What a handler, which RuntimeClasses name, can do; the default's name is empty. */
export interface RuntimeHandler {
  readonly name: string;
  /** Whether a read-only mount can be so with all that is mounted below it. */
  readonly recursiveReadOnlyMounts: boolean;
  readonly userNamespaces: boolean;
}

export interface RuntimeFeatures {
  /** Empty when the runtime does not say. */
  readonly handlers: readonly RuntimeHandler[];
  /** Whether processes can be kept out of the groups that their image puts them in; undefined when the runtime does not say. */
  readonly supplementalGroupsPolicy: boolean | undefined;
  /** Whether images can be volumes. */
  readonly imageVolumes: boolean;
}

export interface RuntimeCondition {
  readonly isRuntimeReady: boolean;
  /** False keeps the Node from being Ready; only pods of the host's network run. */
  readonly isNetworkReady: boolean;
  /** As the Node's Ready condition tells it, of what is not ready. */
  readonly messages: readonly string[];
}

export interface StoredImage {
  readonly id: string;
  /** With digests first, then with tags. */
  readonly names: readonly string[];
  readonly sizeBytes: number;
  /** Never to be removed. */
  readonly isPinned: boolean;
}

export interface Usage {
  readonly at: string;
  readonly cpuNanoseconds: number;
  readonly workingSetBytes: number;
  /** Undefined where nobody counts them. */
  readonly processes?: number;
  /** What it has written over its image, on the images' disk. */
  readonly layer?: { readonly bytes: number; readonly inodes: number };
}

export type StreamRequest =
  | {
      readonly kind: "exec";
      readonly id: string;
      readonly command: readonly string[];
      readonly tty: boolean;
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
    }
  | {
      readonly kind: "attach";
      readonly id: string;
      readonly tty: boolean;
      readonly stdin: boolean;
      readonly stdout: boolean;
      readonly stderr: boolean;
    }
  /** `ports`: what the URL named, as the old way over WebSocket does; others name each with its connection. */
  | { readonly kind: "ports"; readonly podUid: string; readonly ports: readonly number[] };

/** How a stream goes on: as bytes to the runtime's own streaming server, or served by whoever asked. */
export type StreamTarget =
  | { readonly kind: "proxy"; readonly url: string }
  | {
      readonly kind: "command";
      /** Runs the command, or joins the container's own streams, until it ends; all output is written by then. */
      run(streams: CommandStreams, options: { signal: AbortSignal }): Promise<CommandEnd>;
    }
  | {
      readonly kind: "ports";
      /** Connects to a port on the loopback of the pod's network namespace. @throws {Fault} "DialFailed" */
      dial(port: number, options: { signal: AbortSignal }): Promise<Duplex>;
    };

export interface ExecResult {
  readonly code: number;
  /** All it wrote; its errors come last. */
  readonly output: string;
  /** What it wrote as errors. */
  readonly errors: string;
  readonly isTimedOut: boolean;
}

export type ImageFault = Fault<
  "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError"
>;

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
  /** What it can do, as known now; absent: nothing of it. */
  features?(): RuntimeFeatures;
  /** What the node's Ready condition depends on, as known now. */
  condition(): RuntimeCondition;
  /** Hears of each change of `condition`. Returns the way to stop hearing. */
  subscribeCondition(listener: () => void): () => void;
  /** By a name with its tag or digest; undefined when the image is not here. @throws {ImageFault} "ImageInspectError" */
  findImage(image: string): Promise<FoundImage | undefined>;
  /** Fetches it from its registry; `auth` undefined is nobody. Aborting ends the transfer. @throws {ImageFault} "ErrImagePull" */
  pullImage(
    image: string,
    options: { auth: RegistryAuth | undefined; signal: AbortSignal },
  ): Promise<FoundImage>;
  images(): Promise<readonly StoredImage[]>;
  /** Ids of the images that containers are made of, also of those that have ended. */
  imagesInUse(): Promise<ReadonlySet<string>>;
  /** Absent is success. */
  removeImage(id: string): Promise<void>;
  /** Where images, and what containers write over them, are kept; undefined or absent: in the node's data folder. */
  imageFolder?(): Promise<string | undefined>;
  /** @throws {Fault} "CreateContainerError" or "StartError" */
  startContainer(config: ContainerConfig): Promise<Run>;
  /** SIGTERM, then SIGKILL once `graceMs` are over; resolves when the container has ended. A shorter grace given later wins. */
  stopContainer(id: string, options: { graceMs: number }): Promise<void>;
  exec(
    id: string,
    options: { command: readonly string[]; timeoutMs: number | undefined },
  ): Promise<ExecResult>;
  /** @throws {Fault} "NotRunning", "NotFound", or what the runtime said */
  openStream(request: StreamRequest): Promise<StreamTarget>;
  /** Writes on in a new file at the same path, after a rotation moved the old one away. */
  reopenLog(id: string): Promise<void>;
  /** Limits of a running container are these from now on. @throws {Fault} "NotSupported" */
  updateResources(id: string, resources: Resources): Promise<void>;
  /** By run id; containers that do not run, or that nobody counts, are absent. */
  usage(): Promise<ReadonlyMap<string, Usage>>;
}
