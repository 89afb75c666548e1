import { Fault } from "#fault/fault";
import type { Container, Pod, SeccompProfile } from "#kube/generated/types";
import type { Seccomp, Security } from "../runtime/runtime.ts";

/** What a container may do: its own security context, and where that says nothing the pod's.
 *  @throws {Fault} "CreateContainerConfigError" */
export function containerSecurity({ securityContext: own }: Container, { spec }: Pod): Security {
  const pod = spec?.securityContext;
  const uid = own?.runAsUser ?? pod?.runAsUser;
  const mustNotBeRoot = own?.runAsNonRoot ?? pod?.runAsNonRoot ?? false;
  if (mustNotBeRoot && (uid ?? 0) === 0)
    throw new Fault("CreateContainerConfigError", "container has runAsNonRoot and image will run as root");
  return {
    uid,
    gid: own?.runAsGroup ?? pod?.runAsGroup,
    supplementalGroups: podGroups({ spec }),
    isPrivileged: own?.privileged ?? false,
    isReadOnlyRoot: own?.readOnlyRootFilesystem ?? false,
    mayGainPrivileges: own?.allowPrivilegeEscalation ?? true,
    addCapabilities: own?.capabilities?.add ?? [],
    dropCapabilities: own?.capabilities?.drop ?? [],
    seccomp: seccompOf(own?.seccompProfile ?? pod?.seccompProfile),
    isProcMasked: own?.procMount !== "Unmasked",
  };
}

/** The groups every process of the pod is in, beside its own: that of its volumes first. */
export function podGroups({ spec }: Pick<Pod, "spec">): readonly number[] {
  const { fsGroup, supplementalGroups = [] } = spec?.securityContext ?? {};
  return fsGroup === undefined ? supplementalGroups : [fsGroup, ...supplementalGroups];
}

function seccompOf(profile: SeccompProfile | undefined): Seccomp {
  if (profile?.type === "RuntimeDefault") return { type: "RuntimeDefault" };
  if (profile?.type === "Localhost") return { type: "Localhost", path: profile.localhostProfile ?? "" };
  return { type: "Unconfined" };
}
