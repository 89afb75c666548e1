import { statSync } from "node:fs";
import { Fault } from "#fault/fault";
import {
  CAPABILITIES,
  type Capability,
  DEFAULT_CAPABILITIES,
  parseCapability,
} from "#kernel/launch/capabilities";
import type { Mask } from "#kernel/launch/launch-program";
import type { Rights } from "#kernel/launch/rights";
import { defaultFilter } from "#kernel/launch/seccomp";
import type { Security } from "../runtime.ts";
import { groupsOf, userOf } from "./users.ts";

/** What may not be seen of the machine. @see moby oci/defaults.go */
const MASKED = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
];
const READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** Rights in a form that can be written down, so that an exec after a restart of the agent has the same. */
export interface RecordedRights {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly capabilities: readonly Capability[];
  readonly noNewPrivileges: boolean;
  readonly isFiltered: boolean;
}

/** Who the container runs as and what it may do. @throws {Fault} "CreateContainerError" for what cannot be kept here */
export function recordedRights(security: Security): RecordedRights {
  const { seccomp, isPrivileged } = security;
  if (seccomp.type === "Localhost" && !isPrivileged)
    throw new Fault(
      "CreateContainerError",
      `Cannot apply seccomp profile ${seccomp.path ?? ""}: profiles of the node's own are for containerd; RuntimeDefault and Unconfined work here`,
    );
  const uid = security.uid ?? 0;
  const gid = security.gid ?? userOf(uid)?.gid ?? 0;
  const groups = [...new Set([gid, ...security.supplementalGroups, ...groupsOf(uid)])];
  return {
    uid,
    gid,
    groups,
    capabilities: [...capabilitiesOf(security)],
    noNewPrivileges: !security.mayGainPrivileges,
    isFiltered: seccomp.type === "RuntimeDefault" && !isPrivileged,
  };
}

export function rightsOf({ isFiltered, capabilities, ...rest }: RecordedRights): Rights {
  const held = new Set(capabilities);
  const filter = isFiltered ? defaultFilter(process.arch === "arm64" ? "arm64" : "x64", held) : undefined;
  return { ...rest, capabilities: held, filter };
}

/** The default set, or all with `ALL` added, or none with `ALL` dropped; then with what is added, then without what is dropped.
 *  @throws {Fault} "CreateContainerError" @see containerd pkg/cri/server/container_create_linux.go */
export function capabilitiesOf(
  security: Pick<Security, "isPrivileged" | "addCapabilities" | "dropCapabilities">,
): ReadonlySet<Capability> {
  const { isPrivileged, addCapabilities, dropCapabilities } = security;
  if (isPrivileged) return new Set(CAPABILITIES);
  const base = addCapabilities.some(isAll) ? CAPABILITIES : DEFAULT_CAPABILITIES;
  const held = new Set<Capability>(dropCapabilities.some(isAll) ? [] : base);
  for (const name of addCapabilities) if (!isAll(name)) held.add(capability(name));
  for (const name of dropCapabilities) if (!isAll(name)) held.delete(capability(name));
  return held;
}

function isAll(name: string): boolean {
  return name.toUpperCase() === "ALL";
}

function capability(name: string): Capability {
  const known = parseCapability(name);
  if (known) return known;
  throw new Fault(
    "CreateContainerError",
    `Cannot give or take capability ${JSON.stringify(name)}: there is none of that name`,
  );
}

/** Paths of `/proc` and `/sys` to hide and to protect, of those that this kernel has. */
export function hiddenPaths({ isPrivileged, isProcMasked }: Security): {
  readonly masks: readonly Mask[];
  readonly readOnlyPaths: readonly string[];
} {
  if (isPrivileged || !isProcMasked) return { masks: [], readOnlyPaths: [] };
  const masks = MASKED.flatMap((path): readonly Mask[] => {
    const found = statSync(path, { throwIfNoEntry: false });
    return found ? [{ path, isFolder: found.isDirectory() }] : [];
  });
  return { masks, readOnlyPaths: READ_ONLY.filter((path) => statSync(path, { throwIfNoEntry: false })) };
}
