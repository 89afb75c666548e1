import { join } from "node:path";
import { Fault } from "#fault/fault";
import type { Container, Pod, SeccompProfile } from "#kube/generated/types";
import type { FoundImage, Seccomp, Security } from "../runtime/runtime.ts";
import { podText } from "./hooks.ts";

export interface SeccompSettings {
  /** Where a node's own profiles are: `<kubelet's folder>/seccomp`. */
  readonly dir: string;
  /** Whether a pod that asks for nothing gets the runtime's profile. */
  readonly isDefault: boolean;
}

/** What a container may do: its own security context, and where that says nothing the pod's.
 *  @throws {Fault} "CreateContainerConfigError" */
export function containerSecurity(
  container: Container,
  pod: Pod,
  { image, seccomp }: { image: Pick<FoundImage, "user">; seccomp: SeccompSettings },
): Security {
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const asked = own?.runAsUser ?? shared?.runAsUser;
  if (own?.runAsNonRoot ?? shared?.runAsNonRoot) checkNotRoot(container, pod, { asked, image });
  const named = asked === undefined && image.user?.uid === undefined ? image.user?.name : undefined;
  return {
    uid: asked ?? image.user?.uid,
    ...(named === undefined ? {} : { username: named }),
    gid: own?.runAsGroup ?? shared?.runAsGroup,
    supplementalGroups: podGroups(pod),
    ...(shared?.supplementalGroupsPolicy === "Strict" ? { hasOnlyOwnGroups: true } : {}),
    isPrivileged: own?.privileged ?? false,
    isReadOnlyRoot: own?.readOnlyRootFilesystem ?? false,
    mayGainPrivileges: own?.allowPrivilegeEscalation ?? true,
    addCapabilities: own?.capabilities?.add ?? [],
    dropCapabilities: own?.capabilities?.drop ?? [],
    seccomp: seccompOf(own?.seccompProfile ?? shared?.seccompProfile, seccomp),
    isProcMasked: own?.procMount !== "Unmasked",
  };
}

/** An image that says nothing runs as root; a name may mean root. */
function checkNotRoot(
  { name }: Container,
  pod: Pod,
  { asked, image: { user } }: { asked: number | undefined; image: Pick<FoundImage, "user"> },
): void {
  const where = `(pod: ${JSON.stringify(podText(pod))}, container: ${name})`;
  if (asked === 0) throw refused(`container's runAsUser breaks non-root policy ${where}`);
  if (asked !== undefined) return;
  if (user?.uid === undefined && user?.name)
    throw refused(
      `container has runAsNonRoot and image has non-numeric user (${user.name}), cannot verify user is non-root ${where}`,
    );
  if ((user?.uid ?? 0) === 0) throw refused(`container has runAsNonRoot and image will run as root ${where}`);
}

function refused(message: string): Fault {
  return new Fault("CreateContainerConfigError", message);
}

/** The groups every process of the pod is in, beside its own: that of its volumes first. */
export function podGroups({ spec }: Pick<Pod, "spec">): readonly number[] {
  const { fsGroup, supplementalGroups = [] } = spec?.securityContext ?? {};
  return fsGroup === undefined ? supplementalGroups : [fsGroup, ...supplementalGroups];
}

function seccompOf(profile: SeccompProfile | undefined, { dir, isDefault }: SeccompSettings): Seccomp {
  switch (profile?.type ?? (isDefault ? "RuntimeDefault" : "Unconfined")) {
    case "RuntimeDefault":
      return { type: "RuntimeDefault" };
    case "Localhost":
      return { type: "Localhost", path: join(dir, profile?.localhostProfile ?? "") };
    default:
      return { type: "Unconfined" };
  }
}
