import type { AppArmorProfile, PodSpec } from "#kube/generated/types";
import { invalid } from "../field/error.ts";
import type { Draft, FieldError } from "../kind.ts";

const APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/";
const LOCALHOST = "localhost/";
const SECCOMP_NAMES = ["runtime/default", "docker/default", "unconfined"];
const APP_ARMOR_NAMES = ["", "runtime/default", "unconfined"];
const DEPRECATED = 'deprecated since v1.30; use the "appArmorProfile" field instead';
const LONGEST_PROFILE = 4095;

type Annotations = Readonly<Record<string, string>> | undefined;

/** What is wrong with the annotations that named profiles before there were fields.
 *  @see ValidatePodSpecificAnnotations in kubernetes pkg/apis/core/validation */
export function validateProfileAnnotations(
  path: string,
  annotations: Annotations,
  spec: PodSpec | undefined,
): readonly FieldError[] {
  const all = Object.entries(annotations ?? {});
  const seccomp = all.filter(([key]) => key === SECCOMP_POD || key.startsWith(SECCOMP_CONTAINER));
  return [
    ...seccomp.flatMap(([key, value]) => validateSeccomp(`${path}.${key}`, value)),
    ...all.flatMap(([key, value]) =>
      key.startsWith(APP_ARMOR) ? validateAppArmor(`${path}[${key}]`, key, value, spec) : [],
    ),
  ];
}

function validateSeccomp(at: string, value: string): readonly FieldError[] {
  if (SECCOMP_NAMES.includes(value)) return [];
  if (!value.startsWith(LOCALHOST)) return [invalid(at, value, "must be a valid seccomp profile")];
  const file = value.slice(LOCALHOST.length);
  return [
    ...(file.startsWith("/") ? [invalid(at, file, "must be a relative path")] : []),
    ...(file.split("/").includes("..") ? [invalid(at, file, "must not contain '..'")] : []),
  ];
}

function validateAppArmor(
  at: string,
  key: string,
  value: string,
  spec: PodSpec | undefined,
): readonly FieldError[] {
  const name = key.slice(APP_ARMOR.length);
  const isKnown = containersOf(spec).some((container) => container.name === name);
  const isReadable = APP_ARMOR_NAMES.includes(value) || value.startsWith(LOCALHOST);
  return [
    ...(isKnown ? [] : [invalid(at, name, "container not found")]),
    ...(isReadable ? [] : [invalid(at, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`)]),
  ];
}

function containersOf(spec: PodSpec | undefined): readonly Draft[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
}

/** Gives containers the AppArmor profile that an annotation names for them, unless a field does, and warns that the annotation is of the past. */
export function takeAppArmor({ metadata, spec }: Draft, warn: (text: string) => void): void {
  if (!metadata.annotations || !spec || spec.os?.name === "windows") return;
  for (const container of containersOf(spec)) {
    const key = `${APP_ARMOR}${container.name}`;
    const value: string | undefined = metadata.annotations[key];
    if (value === undefined || container.securityContext?.appArmorProfile) continue;
    const profile = profileOf(value);
    if (profile !== undefined) {
      if (isSame(profile, spec.securityContext?.appArmorProfile)) continue;
      container.securityContext = { ...container.securityContext, appArmorProfile: profile };
    }
    warn(`metadata.annotations[${key}]: ${DEPRECATED}`);
  }
}

/** What to say of a template's annotations; a pod's are spoken of as they are taken. `path` is the template's. */
export function appArmorWarnings(path: string, annotations: Annotations, spec: PodSpec): readonly string[] {
  return containersOf(spec).flatMap((container) => {
    const key = `${APP_ARMOR}${container.name}`;
    const value = annotations?.[key];
    if (value === undefined || container.securityContext?.appArmorProfile) return [];
    const profile = profileOf(value);
    if (profile !== undefined && isSame(profile, spec.securityContext?.appArmorProfile)) return [];
    return [`${path}.metadata.annotations[${key}]: ${DEPRECATED}`];
  });
}

function profileOf(value: string): AppArmorProfile | undefined {
  if (value === "unconfined") return { type: "Unconfined" };
  if (value === "runtime/default") return { type: "RuntimeDefault" };
  const file = value.startsWith(LOCALHOST) ? value.slice(LOCALHOST.length) : "";
  if (file === "" || file.trim() !== file || Buffer.byteLength(file) > LONGEST_PROFILE) return undefined;
  return { type: "Localhost", localhostProfile: file };
}

function isSame(a: AppArmorProfile, b: AppArmorProfile | undefined): boolean {
  return b !== undefined && a.type === b.type && a.localhostProfile === b.localhostProfile;
}
