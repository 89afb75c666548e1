import type { Container, SELinuxOptions } from "#kube/generated/types";
import {
  containersOf,
  type Finding,
  namesOf,
  type PodLike,
  plural,
  quoted,
  setters,
  sorted,
} from "./words.ts";

const APP_ARMOR_TYPES = new Set(["RuntimeDefault", "Localhost"]);
const APP_ARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_TYPES = new Set(["RuntimeDefault", "Localhost"]);
const SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/";
const SE_LINUX_TYPES = ["", "container_t", "container_init_t", "container_kvm_t"];

export function appArmor(pod: PodLike): Finding | undefined {
  const isBad = (type: string | undefined) => type !== undefined && !APP_ARMOR_TYPES.has(type);
  const podType = pod.spec?.securityContext?.appArmorProfile?.type;
  const typeOf = ({ securityContext }: Container) => securityContext?.appArmorProfile?.type;
  const who = setters(
    isBad(podType),
    namesOf(pod, (container) => isBad(typeOf(container))),
  );
  const types = [podType, ...containersOf(pod).map(typeOf)].filter(
    (type) => type !== undefined && isBad(type),
  );
  const annotations = badAnnotations(pod, APP_ARMOR_ANNOTATION, (value) =>
    /^$|^runtime\/default$|^localhost\//.test(value),
  );
  if (who === undefined && annotations.length === 0) return undefined;
  const values = [...sorted(types.filter((type) => type !== undefined)), ...annotations];
  const all = [who, annotations.length === 0 ? undefined : plural("annotation", annotations.length)];
  return {
    reason: plural("forbidden AppArmor profile", values.length),
    detail: `${all.filter((one) => one !== undefined).join(" and ")} must not set AppArmor profile type to ${quoted(values)}`,
  };
}

function badAnnotations(
  { metadata }: PodLike,
  prefix: string,
  isGood: (value: string) => boolean,
): readonly string[] {
  const found = Object.entries(metadata?.annotations ?? {}).filter(
    ([key, value]) => key.startsWith(prefix) && !isGood(value),
  );
  return sorted(found.map(([key, value]) => `${key}=${JSON.stringify(value)}`));
}

export function seLinux(pod: PodLike, allowsEngine: boolean): Finding | undefined {
  const types = allowsEngine ? [...SE_LINUX_TYPES, "container_engine_t"] : SE_LINUX_TYPES;
  const isBad = (options: SELinuxOptions | undefined) =>
    options !== undefined && (!types.includes(options.type ?? "") || !!options.user || !!options.role);
  const ofPod = pod.spec?.securityContext?.seLinuxOptions;
  const ofContainer = ({ securityContext }: Container) => securityContext?.seLinuxOptions;
  const who = setters(
    isBad(ofPod),
    namesOf(pod, (container) => isBad(ofContainer(container))),
  );
  if (who === undefined) return undefined;
  const all = [ofPod, ...containersOf(pod).map(ofContainer)].filter((options) => options !== undefined);
  const badTypes = sorted(all.map(({ type }) => type ?? "").filter((type) => !types.includes(type)));
  const what = [
    ...(badTypes.length === 0 ? [] : [`${plural("type", badTypes.length)} ${quoted(badTypes)}`]),
    ...(all.some(({ user }) => !!user) ? ["user may not be set"] : []),
    ...(all.some(({ role }) => !!role) ? ["role may not be set"] : []),
  ];
  return {
    reason: "seLinuxOptions",
    detail: `${who} set forbidden securityContext.seLinuxOptions: ${what.join("; ")}`,
  };
}

/** Before the field there were annotations. */
export function seccompAnnotations(pod: PodLike): Finding | undefined {
  const isGood = (value: string) => /^(runtime|docker)\/default$|^localhost\//.test(value);
  const keys = new Set([SECCOMP_POD, ...containersOf(pod).map(({ name }) => `${SECCOMP_CONTAINER}${name}`)]);
  const found = Object.entries(pod.metadata?.annotations ?? {}).filter(
    ([key, value]) => keys.has(key) && !isGood(value),
  );
  if (found.length === 0) return undefined;
  const said = sorted(found.map(([key, value]) => `${key}=${JSON.stringify(value)}`));
  return {
    reason: "seccompProfile",
    detail: `forbidden ${plural("annotation", said.length)} ${said.join(", ")}`,
  };
}

function isBadSeccomp(type: string | undefined): boolean {
  return type !== undefined && !SECCOMP_TYPES.has(type);
}

export function seccompTypes(pod: PodLike): Finding | undefined {
  const podType = pod.spec?.securityContext?.seccompProfile?.type;
  const bad = namesOf(pod, (container) => isBadSeccomp(seccompOf(container)));
  const who = setters(isBadSeccomp(podType), bad);
  if (who === undefined) return undefined;
  const types = [podType, ...containersOf(pod).map(seccompOf)].flatMap((type) =>
    type !== undefined && isBadSeccomp(type) ? [type] : [],
  );
  return {
    reason: "seccompProfile",
    detail: `${who} must not set securityContext.seccompProfile.type to ${quoted(sorted(types))}`,
  };
}

export function seccompOf({ securityContext }: Container): string | undefined {
  return securityContext?.seccompProfile?.type;
}

/** Whether the pod's own profile is one that its containers may go by. */
export function hasSeccomp({ spec }: PodLike): boolean {
  const type = spec?.securityContext?.seccompProfile?.type;
  return type !== undefined && !isBadSeccomp(type);
}
