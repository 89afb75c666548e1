import type { Security } from "../runtime/runtime.ts";

/** What a container may do whose pod says nothing of it. */
export const PLAIN_SECURITY: Security = {
  uid: undefined,
  gid: undefined,
  supplementalGroups: [],
  isPrivileged: false,
  isReadOnlyRoot: false,
  mayGainPrivileges: true,
  addCapabilities: [],
  dropCapabilities: [],
  seccomp: { type: "Unconfined" },
  isProcMasked: true,
};
