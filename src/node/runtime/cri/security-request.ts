import type { ContainerConfig, FoundImage, Security } from "../runtime.ts";
import type { Request } from "./codec.ts";
import type { NamespaceMode, SupplementalGroupsPolicy } from "./generated/types.ts";
import { namespaceOptions } from "./sandbox-request.ts";

type LinuxRequest = NonNullable<NonNullable<Request<"CreateContainer">["config"]>["linux"]>;
export type SecurityRequest = NonNullable<LinuxRequest["securityContext"]>;

/** What a container does not see of /proc and /sys, and what it may only read there, unless its procMount is Unmasked.
 *  @see kubelet pkg/securitycontext: the runtimes hide nothing by themselves */
const MASKED_PATHS = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];
const READ_ONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** Who a container runs as and what it may do. `imageUser` counts where the pod says nothing. */
export function securityRequest(config: ContainerConfig, imageUser: FoundImage["user"]): SecurityRequest {
  const { security, sandbox, ipc } = config;
  const target = typeof config.pid === "object" ? config.pid.target : undefined;
  const pid = typeof config.pid === "object" ? "container" : config.pid;
  const shared = namespaceOptions({ isHostNetwork: sandbox.isHostNetwork, ipc, pid });
  const targeted: NamespaceMode = "TARGET";
  return {
    capabilities: {
      addCapabilities: security.addCapabilities,
      dropCapabilities: security.dropCapabilities,
    },
    privileged: security.isPrivileged,
    namespaceOptions: target === undefined ? shared : { ...shared, pid: targeted, targetId: target },
    ...userOf(security, imageUser),
    readonlyRootfs: security.isReadOnlyRoot,
    supplementalGroups: security.supplementalGroups.map(BigInt),
    supplementalGroupsPolicy: groupsPolicy(security),
    noNewPrivs: !security.mayGainPrivileges,
    maskedPaths: security.isProcMasked ? MASKED_PATHS : [],
    readonlyPaths: security.isProcMasked ? READ_ONLY_PATHS : [],
    seccomp: {
      profileType: security.seccomp.type,
      localhostRef: security.seccomp.type === "Localhost" ? (security.seccomp.path ?? "") : "",
    },
  };
}

/** Always a user, since a group without one is refused: the pod's, else the image's by number or by name, else root. */
function userOf(
  { uid, gid }: Security,
  image: FoundImage["user"],
): Pick<SecurityRequest, "runAsUser" | "runAsUsername" | "runAsGroup"> {
  const group = gid === undefined ? {} : { runAsGroup: { value: BigInt(gid) } };
  if (uid === undefined && image?.uid === undefined && image?.name)
    return { runAsUsername: image.name, ...group };
  return { runAsUser: { value: BigInt(uid ?? image?.uid ?? 0) }, ...group };
}

function groupsPolicy({ hasOnlyOwnGroups }: Security): SupplementalGroupsPolicy {
  return hasOnlyOwnGroups ? "Strict" : "Merge";
}
