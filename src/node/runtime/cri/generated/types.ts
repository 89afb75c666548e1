/** Made by scripts/generate-cri-tables.ts. A value of an enum that the table does not know is UNRECOGNIZED. */

export interface AttachRequest {
  readonly containerId: string;
  readonly stdin: boolean;
  readonly tty: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface AttachResponse {
  readonly url: string;
}

export interface AuthConfig {
  readonly username: string;
  readonly password: string;
  readonly auth: string;
  readonly serverAddress: string;
  readonly identityToken: string;
  readonly registryToken: string;
}

export interface CDIDevice {
  readonly name: string;
}

export interface Capability {
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly addAmbientCapabilities: readonly string[];
}

export type CgroupDriver = "SYSTEMD" | "CGROUPFS" | "UNRECOGNIZED";

export interface Container {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: ContainerMetadata | undefined;
  readonly image: ImageSpec | undefined;
  readonly imageRef: string;
  readonly state: ContainerState;
  readonly createdAt: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly imageId: string;
}

export interface ContainerAttributes {
  readonly id: string;
  readonly metadata: ContainerMetadata | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata | undefined;
  readonly image: ImageSpec | undefined;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly envs: readonly KeyValue[];
  readonly mounts: readonly Mount[];
  readonly devices: readonly Device[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly linux: LinuxContainerConfig | undefined;
  readonly CDIdevices: readonly CDIDevice[];
  readonly stopSignal: Signal;
}

export interface ContainerEventResponse {
  readonly containerId: string;
  readonly containerEventType: ContainerEventType;
  readonly createdAt: bigint;
  readonly podSandboxStatus: PodSandboxStatus | undefined;
  readonly containersStatuses: readonly ContainerStatus[];
}

export type ContainerEventType = "CONTAINER_CREATED_EVENT" | "CONTAINER_STARTED_EVENT" | "CONTAINER_STOPPED_EVENT" | "CONTAINER_DELETED_EVENT" | "UNRECOGNIZED";

export interface ContainerFilter {
  readonly id: string;
  readonly state: ContainerStateValue | undefined;
  readonly podSandboxId: string;
  readonly labelSelector: Readonly<Record<string, string>>;
}

export interface ContainerMetadata {
  readonly name: string;
  readonly attempt: number;
}

export interface ContainerResources {
  readonly linux: LinuxContainerResources | undefined;
}

export type ContainerState = "CONTAINER_CREATED" | "CONTAINER_RUNNING" | "CONTAINER_EXITED" | "CONTAINER_UNKNOWN" | "UNRECOGNIZED";

export interface ContainerStateValue {
  readonly state: ContainerState;
}

export interface ContainerStats {
  readonly attributes: ContainerAttributes | undefined;
  readonly cpu: CpuUsage | undefined;
  readonly memory: MemoryUsage | undefined;
  readonly writableLayer: FilesystemUsage | undefined;
  readonly swap: SwapUsage | undefined;
  readonly io: IoUsage | undefined;
}

export interface ContainerStatsFilter {
  readonly id: string;
  readonly podSandboxId: string;
  readonly labelSelector: Readonly<Record<string, string>>;
}

export interface ContainerStatus {
  readonly id: string;
  readonly metadata: ContainerMetadata | undefined;
  readonly state: ContainerState;
  readonly createdAt: bigint;
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly exitCode: number;
  readonly image: ImageSpec | undefined;
  readonly imageRef: string;
  readonly reason: string;
  readonly message: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly logPath: string;
  readonly resources: ContainerResources | undefined;
  readonly imageId: string;
  readonly user: ContainerUser | undefined;
  readonly stopSignal: Signal;
}

export interface ContainerStatusRequest {
  readonly containerId: string;
  readonly verbose: boolean;
}

export interface ContainerStatusResponse {
  readonly status: ContainerStatus | undefined;
  readonly info: Readonly<Record<string, string>>;
}

export interface ContainerUser {
  readonly linux: LinuxContainerUser | undefined;
}

export interface CpuUsage {
  readonly timestamp: bigint;
  readonly usageCoreNanoSeconds: UInt64Value | undefined;
  readonly usageNanoCores: UInt64Value | undefined;
  readonly psi: PsiStats | undefined;
}

export interface CreateContainerRequest {
  readonly podSandboxId: string;
  readonly config: ContainerConfig | undefined;
  readonly sandboxConfig: PodSandboxConfig | undefined;
}

export interface CreateContainerResponse {
  readonly containerId: string;
}

export interface DNSConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface Device {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly permissions: string;
}

export interface ExecRequest {
  readonly containerId: string;
  readonly cmd: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface ExecResponse {
  readonly url: string;
}

export interface ExecSyncRequest {
  readonly containerId: string;
  readonly cmd: readonly string[];
  readonly timeout: bigint;
}

export interface ExecSyncResponse {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

export interface FilesystemIdentifier {
  readonly mountpoint: string;
}

export interface FilesystemUsage {
  readonly timestamp: bigint;
  readonly fsId: FilesystemIdentifier | undefined;
  readonly usedBytes: UInt64Value | undefined;
  readonly inodesUsed: UInt64Value | undefined;
}

export type GetEventsRequest = Readonly<Record<string, never>>;

export interface HugepageLimit {
  readonly pageSize: string;
  readonly limit: bigint;
}

export interface IDMapping {
  readonly hostId: number;
  readonly containerId: number;
  readonly length: number;
}

export interface Image {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: bigint;
  readonly uid: Int64Value | undefined;
  readonly username: string;
  readonly spec: ImageSpec | undefined;
  readonly pinned: boolean;
}

export interface ImageFilter {
  readonly image: ImageSpec | undefined;
}

export type ImageFsInfoRequest = Readonly<Record<string, never>>;

export interface ImageFsInfoResponse {
  readonly imageFilesystems: readonly FilesystemUsage[];
  readonly containerFilesystems: readonly FilesystemUsage[];
}

export interface ImageSpec {
  readonly image: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly userSpecifiedImage: string;
  readonly runtimeHandler: string;
  readonly imageRef: string;
}

export interface ImageStatusRequest {
  readonly image: ImageSpec | undefined;
  readonly verbose: boolean;
}

export interface ImageStatusResponse {
  readonly image: Image | undefined;
  readonly info: Readonly<Record<string, string>>;
}

export interface Int64Value {
  readonly value: bigint;
}

export interface IoUsage {
  readonly timestamp: bigint;
  readonly psi: PsiStats | undefined;
}

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface LinuxContainerConfig {
  readonly resources: LinuxContainerResources | undefined;
  readonly securityContext: LinuxContainerSecurityContext | undefined;
}

export interface LinuxContainerResources {
  readonly cpuPeriod: bigint;
  readonly cpuQuota: bigint;
  readonly cpuShares: bigint;
  readonly memoryLimitInBytes: bigint;
  readonly oomScoreAdj: bigint;
  readonly cpusetCpus: string;
  readonly cpusetMems: string;
  readonly hugepageLimits: readonly HugepageLimit[];
  readonly unified: Readonly<Record<string, string>>;
  readonly memorySwapLimitInBytes: bigint;
}

export interface LinuxContainerSecurityContext {
  readonly capabilities: Capability | undefined;
  readonly privileged: boolean;
  readonly namespaceOptions: NamespaceOption | undefined;
  readonly selinuxOptions: SELinuxOption | undefined;
  readonly runAsUser: Int64Value | undefined;
  readonly runAsGroup: Int64Value | undefined;
  readonly runAsUsername: string;
  readonly readonlyRootfs: boolean;
  readonly supplementalGroups: readonly bigint[];
  readonly supplementalGroupsPolicy: SupplementalGroupsPolicy;
  readonly noNewPrivs: boolean;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp: SecurityProfile | undefined;
  readonly apparmor: SecurityProfile | undefined;
  readonly apparmorProfile: string;
  readonly seccompProfilePath: string;
}

export interface LinuxContainerUser {
  readonly uid: bigint;
  readonly gid: bigint;
  readonly supplementalGroups: readonly bigint[];
}

export interface LinuxPodSandboxConfig {
  readonly cgroupParent: string;
  readonly securityContext: LinuxSandboxSecurityContext | undefined;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly overhead: LinuxContainerResources | undefined;
  readonly resources: LinuxContainerResources | undefined;
}

export interface LinuxPodSandboxStatus {
  readonly namespaces: Namespace | undefined;
}

export interface LinuxRuntimeConfiguration {
  readonly cgroupDriver: CgroupDriver;
}

export interface LinuxSandboxSecurityContext {
  readonly namespaceOptions: NamespaceOption | undefined;
  readonly selinuxOptions: SELinuxOption | undefined;
  readonly runAsUser: Int64Value | undefined;
  readonly runAsGroup: Int64Value | undefined;
  readonly readonlyRootfs: boolean;
  readonly supplementalGroups: readonly bigint[];
  readonly supplementalGroupsPolicy: SupplementalGroupsPolicy;
  readonly privileged: boolean;
  readonly seccomp: SecurityProfile | undefined;
  readonly apparmor: SecurityProfile | undefined;
  readonly seccompProfilePath: string;
}

export interface ListContainerStatsRequest {
  readonly filter: ContainerStatsFilter | undefined;
}

export interface ListContainerStatsResponse {
  readonly stats: readonly ContainerStats[];
}

export interface ListContainersRequest {
  readonly filter: ContainerFilter | undefined;
}

export interface ListContainersResponse {
  readonly containers: readonly Container[];
}

export interface ListImagesRequest {
  readonly filter: ImageFilter | undefined;
}

export interface ListImagesResponse {
  readonly images: readonly Image[];
}

export interface ListPodSandboxRequest {
  readonly filter: PodSandboxFilter | undefined;
}

export interface ListPodSandboxResponse {
  readonly items: readonly PodSandbox[];
}

export interface MemoryUsage {
  readonly timestamp: bigint;
  readonly workingSetBytes: UInt64Value | undefined;
  readonly availableBytes: UInt64Value | undefined;
  readonly usageBytes: UInt64Value | undefined;
  readonly rssBytes: UInt64Value | undefined;
  readonly pageFaults: UInt64Value | undefined;
  readonly majorPageFaults: UInt64Value | undefined;
  readonly psi: PsiStats | undefined;
}

export interface Mount {
  readonly containerPath: string;
  readonly hostPath: string;
  readonly readonly: boolean;
  readonly selinuxRelabel: boolean;
  readonly propagation: MountPropagation;
  readonly uidMappings: readonly IDMapping[];
  readonly gidMappings: readonly IDMapping[];
  readonly recursiveReadOnly: boolean;
  readonly image: ImageSpec | undefined;
  readonly imageSubPath: string;
}

export type MountPropagation = "PROPAGATION_PRIVATE" | "PROPAGATION_HOST_TO_CONTAINER" | "PROPAGATION_BIDIRECTIONAL" | "UNRECOGNIZED";

export interface Namespace {
  readonly options: NamespaceOption | undefined;
}

export type NamespaceMode = "POD" | "CONTAINER" | "NODE" | "TARGET" | "UNRECOGNIZED";

export interface NamespaceOption {
  readonly network: NamespaceMode;
  readonly pid: NamespaceMode;
  readonly ipc: NamespaceMode;
  readonly targetId: string;
  readonly usernsOptions: UserNamespace | undefined;
}

export interface PodIP {
  readonly ip: string;
}

export interface PodSandbox {
  readonly id: string;
  readonly metadata: PodSandboxMetadata | undefined;
  readonly state: PodSandboxState;
  readonly createdAt: bigint;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
}

export interface PodSandboxConfig {
  readonly metadata: PodSandboxMetadata | undefined;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dnsConfig: DNSConfig | undefined;
  readonly portMappings: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: LinuxPodSandboxConfig | undefined;
}

export interface PodSandboxFilter {
  readonly id: string;
  readonly state: PodSandboxStateValue | undefined;
  readonly labelSelector: Readonly<Record<string, string>>;
}

export interface PodSandboxMetadata {
  readonly name: string;
  readonly uid: string;
  readonly namespace: string;
  readonly attempt: number;
}

export interface PodSandboxNetworkStatus {
  readonly ip: string;
  readonly additionalIps: readonly PodIP[];
}

export type PodSandboxState = "SANDBOX_READY" | "SANDBOX_NOTREADY" | "UNRECOGNIZED";

export interface PodSandboxStateValue {
  readonly state: PodSandboxState;
}

export interface PodSandboxStatus {
  readonly id: string;
  readonly metadata: PodSandboxMetadata | undefined;
  readonly state: PodSandboxState;
  readonly createdAt: bigint;
  readonly network: PodSandboxNetworkStatus | undefined;
  readonly linux: LinuxPodSandboxStatus | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
}

export interface PodSandboxStatusRequest {
  readonly podSandboxId: string;
  readonly verbose: boolean;
}

export interface PodSandboxStatusResponse {
  readonly status: PodSandboxStatus | undefined;
  readonly info: Readonly<Record<string, string>>;
  readonly containersStatuses: readonly ContainerStatus[];
  readonly timestamp: bigint;
}

export interface PortForwardRequest {
  readonly podSandboxId: string;
  readonly port: readonly number[];
}

export interface PortForwardResponse {
  readonly url: string;
}

export interface PortMapping {
  readonly protocol: Protocol;
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

export type ProfileType = "RuntimeDefault" | "Unconfined" | "Localhost" | "UNRECOGNIZED";

export type Protocol = "TCP" | "UDP" | "SCTP" | "UNRECOGNIZED";

export interface PsiData {
  readonly Total: bigint;
  readonly Avg10: number;
  readonly Avg60: number;
  readonly Avg300: number;
}

export interface PsiStats {
  readonly Full: PsiData | undefined;
  readonly Some: PsiData | undefined;
}

export interface PullImageRequest {
  readonly image: ImageSpec | undefined;
  readonly auth: AuthConfig | undefined;
  readonly sandboxConfig: PodSandboxConfig | undefined;
}

export interface PullImageResponse {
  readonly imageRef: string;
}

export interface RemoveContainerRequest {
  readonly containerId: string;
}

export type RemoveContainerResponse = Readonly<Record<string, never>>;

export interface RemoveImageRequest {
  readonly image: ImageSpec | undefined;
}

export type RemoveImageResponse = Readonly<Record<string, never>>;

export interface RemovePodSandboxRequest {
  readonly podSandboxId: string;
}

export type RemovePodSandboxResponse = Readonly<Record<string, never>>;

export interface ReopenContainerLogRequest {
  readonly containerId: string;
}

export type ReopenContainerLogResponse = Readonly<Record<string, never>>;

export interface RunPodSandboxRequest {
  readonly config: PodSandboxConfig | undefined;
  readonly runtimeHandler: string;
}

export interface RunPodSandboxResponse {
  readonly podSandboxId: string;
}

export interface RuntimeCondition {
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

export type RuntimeConfigRequest = Readonly<Record<string, never>>;

export interface RuntimeConfigResponse {
  readonly linux: LinuxRuntimeConfiguration | undefined;
}

export interface RuntimeFeatures {
  readonly supplementalGroupsPolicy: boolean;
  readonly userNamespacesHostNetwork: boolean;
}

export interface RuntimeHandler {
  readonly name: string;
  readonly features: RuntimeHandlerFeatures | undefined;
}

export interface RuntimeHandlerFeatures {
  readonly recursiveReadOnlyMounts: boolean;
  readonly userNamespaces: boolean;
}

export interface RuntimeStatus {
  readonly conditions: readonly RuntimeCondition[];
}

export interface SELinuxOption {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

export interface SecurityProfile {
  readonly profileType: ProfileType;
  readonly localhostRef: string;
}

export type Signal = "RUNTIME_DEFAULT" | "SIGABRT" | "SIGALRM" | "SIGBUS" | "SIGCHLD" | "SIGCLD" | "SIGCONT" | "SIGFPE" | "SIGHUP" | "SIGILL" | "SIGINT" | "SIGIO" | "SIGIOT" | "SIGKILL" | "SIGPIPE" | "SIGPOLL" | "SIGPROF" | "SIGPWR" | "SIGQUIT" | "SIGSEGV" | "SIGSTKFLT" | "SIGSTOP" | "SIGSYS" | "SIGTERM" | "SIGTRAP" | "SIGTSTP" | "SIGTTIN" | "SIGTTOU" | "SIGURG" | "SIGUSR1" | "SIGUSR2" | "SIGVTALRM" | "SIGWINCH" | "SIGXCPU" | "SIGXFSZ" | "SIGRTMIN" | "SIGRTMINPLUS1" | "SIGRTMINPLUS2" | "SIGRTMINPLUS3" | "SIGRTMINPLUS4" | "SIGRTMINPLUS5" | "SIGRTMINPLUS6" | "SIGRTMINPLUS7" | "SIGRTMINPLUS8" | "SIGRTMINPLUS9" | "SIGRTMINPLUS10" | "SIGRTMINPLUS11" | "SIGRTMINPLUS12" | "SIGRTMINPLUS13" | "SIGRTMINPLUS14" | "SIGRTMINPLUS15" | "SIGRTMAXMINUS14" | "SIGRTMAXMINUS13" | "SIGRTMAXMINUS12" | "SIGRTMAXMINUS11" | "SIGRTMAXMINUS10" | "SIGRTMAXMINUS9" | "SIGRTMAXMINUS8" | "SIGRTMAXMINUS7" | "SIGRTMAXMINUS6" | "SIGRTMAXMINUS5" | "SIGRTMAXMINUS4" | "SIGRTMAXMINUS3" | "SIGRTMAXMINUS2" | "SIGRTMAXMINUS1" | "SIGRTMAX" | "UNRECOGNIZED";

export interface StartContainerRequest {
  readonly containerId: string;
}

export type StartContainerResponse = Readonly<Record<string, never>>;

export interface StatusRequest {
  readonly verbose: boolean;
}

export interface StatusResponse {
  readonly status: RuntimeStatus | undefined;
  readonly info: Readonly<Record<string, string>>;
  readonly runtimeHandlers: readonly RuntimeHandler[];
  readonly features: RuntimeFeatures | undefined;
}

export interface StopContainerRequest {
  readonly containerId: string;
  readonly timeout: bigint;
}

export type StopContainerResponse = Readonly<Record<string, never>>;

export interface StopPodSandboxRequest {
  readonly podSandboxId: string;
}

export type StopPodSandboxResponse = Readonly<Record<string, never>>;

export type SupplementalGroupsPolicy = "Merge" | "Strict" | "UNRECOGNIZED";

export interface SwapUsage {
  readonly timestamp: bigint;
  readonly swapAvailableBytes: UInt64Value | undefined;
  readonly swapUsageBytes: UInt64Value | undefined;
}

export interface UInt64Value {
  readonly value: bigint;
}

export interface UpdateContainerResourcesRequest {
  readonly containerId: string;
  readonly linux: LinuxContainerResources | undefined;
  readonly annotations: Readonly<Record<string, string>>;
}

export type UpdateContainerResourcesResponse = Readonly<Record<string, never>>;

export interface UserNamespace {
  readonly mode: NamespaceMode;
  readonly uids: readonly IDMapping[];
  readonly gids: readonly IDMapping[];
}

export interface VersionRequest {
  readonly version: string;
}

export interface VersionResponse {
  readonly version: string;
  readonly runtimeName: string;
  readonly runtimeVersion: string;
  readonly runtimeApiVersion: string;
}

export interface Calls {
  readonly Version: { readonly request: VersionRequest; readonly response: VersionResponse };
  readonly Status: { readonly request: StatusRequest; readonly response: StatusResponse };
  readonly RuntimeConfig: { readonly request: RuntimeConfigRequest; readonly response: RuntimeConfigResponse };
  readonly RunPodSandbox: { readonly request: RunPodSandboxRequest; readonly response: RunPodSandboxResponse };
  readonly StopPodSandbox: { readonly request: StopPodSandboxRequest; readonly response: StopPodSandboxResponse };
  readonly RemovePodSandbox: { readonly request: RemovePodSandboxRequest; readonly response: RemovePodSandboxResponse };
  readonly PodSandboxStatus: { readonly request: PodSandboxStatusRequest; readonly response: PodSandboxStatusResponse };
  readonly ListPodSandbox: { readonly request: ListPodSandboxRequest; readonly response: ListPodSandboxResponse };
  readonly CreateContainer: { readonly request: CreateContainerRequest; readonly response: CreateContainerResponse };
  readonly StartContainer: { readonly request: StartContainerRequest; readonly response: StartContainerResponse };
  readonly StopContainer: { readonly request: StopContainerRequest; readonly response: StopContainerResponse };
  readonly RemoveContainer: { readonly request: RemoveContainerRequest; readonly response: RemoveContainerResponse };
  readonly ListContainers: { readonly request: ListContainersRequest; readonly response: ListContainersResponse };
  readonly ContainerStatus: { readonly request: ContainerStatusRequest; readonly response: ContainerStatusResponse };
  readonly UpdateContainerResources: { readonly request: UpdateContainerResourcesRequest; readonly response: UpdateContainerResourcesResponse };
  readonly ReopenContainerLog: { readonly request: ReopenContainerLogRequest; readonly response: ReopenContainerLogResponse };
  readonly ExecSync: { readonly request: ExecSyncRequest; readonly response: ExecSyncResponse };
  readonly Exec: { readonly request: ExecRequest; readonly response: ExecResponse };
  readonly Attach: { readonly request: AttachRequest; readonly response: AttachResponse };
  readonly PortForward: { readonly request: PortForwardRequest; readonly response: PortForwardResponse };
  readonly ListContainerStats: { readonly request: ListContainerStatsRequest; readonly response: ListContainerStatsResponse };
  readonly GetContainerEvents: { readonly request: GetEventsRequest; readonly response: ContainerEventResponse };
  readonly ListImages: { readonly request: ListImagesRequest; readonly response: ListImagesResponse };
  readonly ImageStatus: { readonly request: ImageStatusRequest; readonly response: ImageStatusResponse };
  readonly PullImage: { readonly request: PullImageRequest; readonly response: PullImageResponse };
  readonly RemoveImage: { readonly request: RemoveImageRequest; readonly response: RemoveImageResponse };
  readonly ImageFsInfo: { readonly request: ImageFsInfoRequest; readonly response: ImageFsInfoResponse };
}
