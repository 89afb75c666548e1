import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
} from "#kube/generated/types";
import { duplicate, forbidden, invalid, notSupported, required, tooLong } from "../field/error.ts";
import { between } from "../field/numbers.ts";
import { validateInnerPath } from "../field/paths.ts";
import type { FieldError } from "../kind.ts";
import { validateWindowsOptions } from "./windows-validation.ts";

const MAX_ID = 2 ** 31 - 1;
const PROFILE_TYPES = ["Localhost", "RuntimeDefault", "Unconfined"];
const PROC_MOUNTS = ["Default", "Unmasked"];
const GROUP_CHANGES = ["Always", "OnRootMismatch"];
const GROUP_POLICIES = ["Merge", "Strict"];
const LABEL_CHANGES = ["MountOption", "Recursive"];
/** Longest path of a profile, in bytes. */
const MAX_PROFILE = 4095;

/** The security context of one container. `hostUsers`: the pod's users are the host's. */
export function validateSecurityContext(
  path: string,
  context: SecurityContext | undefined,
  hostUsers: boolean,
): readonly FieldError[] {
  if (context === undefined) return [];
  const { procMount } = context;
  const errors = [
    ...between(`${path}.runAsUser`, context.runAsUser, 0, MAX_ID),
    ...between(`${path}.runAsGroup`, context.runAsGroup, 0, MAX_ID),
  ];
  if (procMount !== undefined && !PROC_MOUNTS.includes(procMount))
    errors.push(notSupported(`${path}.procMount`, procMount, PROC_MOUNTS));
  if (hostUsers && procMount === "Unmasked")
    errors.push(invalid(`${path}.procMount`, procMount, "`hostUsers` must be false to use `Unmasked`"));
  return [
    ...errors,
    ...validateSeccomp(`${path}.seccompProfile`, context.seccompProfile),
    ...validateEscalation(path, context),
    ...validateWindowsOptions(`${path}.windowsOptions`, context.windowsOptions),
    ...validateAppArmor(`${path}.appArmorProfile`, context.appArmorProfile),
  ];
}

function validateEscalation(path: string, context: SecurityContext): readonly FieldError[] {
  if (context.allowPrivilegeEscalation !== false) return [];
  const cannot = (what: string) =>
    invalid(path, context, `cannot set \`allowPrivilegeEscalation\` to false and ${what}`);
  return [
    ...(context.privileged === true ? [cannot("`privileged` to true")] : []),
    ...(context.capabilities?.add ?? [])
      .filter((name) => name === "CAP_SYS_ADMIN")
      .map(() => cannot("`capabilities.Add` CAP_SYS_ADMIN")),
  ];
}

/** The security context of a whole pod. */
export function validatePodSecurity(path: string, spec: PodSpec): readonly FieldError[] {
  const context = spec.securityContext;
  if (context === undefined) return [];
  const errors = [
    ...between(`${path}.fsGroup`, context.fsGroup, 0, MAX_ID),
    ...between(`${path}.runAsUser`, context.runAsUser, 0, MAX_ID),
    ...between(`${path}.runAsGroup`, context.runAsGroup, 0, MAX_ID),
    ...(context.supplementalGroups ?? []).flatMap((group, i) =>
      between(`${path}.supplementalGroups[${i}]`, group, 0, MAX_ID),
    ),
  ];
  if (spec.shareProcessNamespace === true && spec.hostPID === true)
    errors.push(
      invalid(
        `${path}.shareProcessNamespace`,
        true,
        "ShareProcessNamespace and HostPID cannot both be enabled",
      ),
    );
  return [
    ...errors,
    ...validateSysctls(`${path}.sysctls`, spec, context),
    ...ifGiven(`${path}.fsGroupChangePolicy`, context.fsGroupChangePolicy, GROUP_CHANGES),
    ...validateSeccomp(`${path}.seccompProfile`, context.seccompProfile),
    ...validateWindowsOptions(`${path}.windowsOptions`, context.windowsOptions),
    ...validateAppArmor(`${path}.appArmorProfile`, context.appArmorProfile),
    ...ifGiven(`${path}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, GROUP_POLICIES),
    ...ifGiven(`${path}.seLinuxChangePolicy`, context.seLinuxChangePolicy, LABEL_CHANGES),
  ];
}

function ifGiven(path: string, value: string | undefined, known: readonly string[]): readonly FieldError[] {
  return value === undefined || known.includes(value) ? [] : [notSupported(path, value, known)];
}

const SYSCTL_TEXT = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
const SYSCTL = new RegExp(SYSCTL_TEXT);
const MAX_SYSCTL = 253;
const IPC_SYSCTL = /^(?:kernel[./](?:shm|msg)|kernel[./]sem$|fs[./]mqueue[./])/;

function validateSysctls(path: string, spec: PodSpec, context: PodSecurityContext): readonly FieldError[] {
  const names = new Set<string>();
  return (context.sysctls ?? []).flatMap(({ name }, i) => {
    const at = `${path}[${i}].name`;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(at));
    else if (name.length > MAX_SYSCTL || !SYSCTL.test(name))
      errors.push(
        invalid(at, name, `must have at most ${MAX_SYSCTL} characters and match regex ${SYSCTL_TEXT}`),
      );
    else if (names.has(name)) errors.push(duplicate(at, name));
    names.add(name);
    if (spec.hostNetwork === true && /^net[./]/.test(name))
      errors.push(invalid(at, name, "may not be specified when 'hostNetwork' is true"));
    else if (spec.hostIPC === true && IPC_SYSCTL.test(name))
      errors.push(invalid(at, name, "may not be specified when 'hostIPC' is true"));
    return errors;
  });
}

function validateSeccomp(path: string, profile: SeccompProfile | undefined): readonly FieldError[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  const errors: FieldError[] = [];
  if (!type) errors.push(required(`${path}.type`, "type is required when seccompProfile is set"));
  else if (!PROFILE_TYPES.includes(type)) errors.push(notSupported(`${path}.type`, type, PROFILE_TYPES));
  const at = `${path}.localhostProfile`;
  if (type === "Localhost")
    errors.push(
      ...(localhostProfile === undefined
        ? [required(at, "must be set when seccomp type is Localhost")]
        : validateInnerPath(at, localhostProfile)),
    );
  else if (localhostProfile !== undefined)
    errors.push(invalid(at, profile, "can only be set when seccomp type is Localhost"));
  return errors;
}

function validateAppArmor(path: string, profile: AppArmorProfile | undefined): readonly FieldError[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if (!type) return [required(`${path}.type`, "type is required when appArmorProfile is set")];
  if (!PROFILE_TYPES.includes(type)) return [notSupported(`${path}.type`, type, PROFILE_TYPES)];
  if (type !== "Localhost")
    return localhostProfile === undefined
      ? []
      : [invalid(at, localhostProfile, "can only be set when AppArmor type is Localhost")];
  if (localhostProfile === undefined) return [required(at, "must be set when AppArmor type is Localhost")];
  const errors: FieldError[] = [];
  if (localhostProfile !== localhostProfile.trim())
    errors.push(invalid(at, localhostProfile, "must not be padded with whitespace"));
  else if (localhostProfile === "") errors.push(required(at, "must be set when AppArmor type is Localhost"));
  if (localhostProfile.length > MAX_PROFILE) errors.push(tooLong(at, MAX_PROFILE));
  return errors;
}

/** A pod with users of its own shares no other namespace with the host. */
export function validateHostUsers(path: string, spec: PodSpec): readonly FieldError[] {
  if (spec.hostUsers !== false) return [];
  return (
    [
      ["hostNetwork", spec.hostNetwork],
      ["HostPID", spec.hostPID],
      ["HostIPC", spec.hostIPC],
    ] as const
  )
    .filter(([, isShared]) => isShared === true)
    .map(([field]) => forbidden(`${path}.${field}`, "when `hostUsers` is false"));
}
