import type { Container } from "#kube/generated/types";
import { hasOwnUsers, procMount } from "./baseline.ts";
import { hasSeccomp, seccompOf, seccompTypes } from "./profiles.ts";
import {
  type Check,
  containersOf,
  type Finding,
  named,
  namesOf,
  type PodLike,
  plural,
  quoted,
  setters,
  sorted,
} from "./words.ts";

const VOLUMES = new Set(
  "configMap csi downwardAPI emptyDir ephemeral image persistentVolumeClaim projected secret".split(" "),
);

/** What a hardened pod has to say, beyond the baseline. */
export const RESTRICTED: readonly Check[] = [
  { id: "allowPrivilegeEscalation", since: 8, find: escalation },
  { id: "allowPrivilegeEscalation", since: 25, find: butWindows(escalation) },
  { id: "capabilities_restricted", since: 22, overrides: ["capabilities_baseline"], find: capabilities },
  {
    id: "capabilities_restricted",
    since: 25,
    overrides: ["capabilities_baseline"],
    find: butWindows(capabilities),
  },
  { id: "procMount_restricted", since: 35, overrides: ["procMount"], find: procMount },
  { id: "restrictedVolumes", since: 0, overrides: ["hostPathVolumes"], find: volumes },
  { id: "runAsNonRoot", since: 0, find: runAsNonRoot },
  { id: "runAsNonRoot", since: 35, find: (pod) => (hasOwnUsers(pod) ? undefined : runAsNonRoot(pod)) },
  { id: "runAsUser", since: 23, find: runAsUser },
  { id: "runAsUser", since: 35, find: (pod) => (hasOwnUsers(pod) ? undefined : runAsUser(pod)) },
  { id: "seccompProfile_restricted", since: 19, overrides: ["seccompProfile_baseline"], find: seccomp },
  {
    id: "seccompProfile_restricted",
    since: 25,
    overrides: ["seccompProfile_baseline"],
    find: butWindows(seccomp),
  },
];

/** Windows has none of these. */
function butWindows(find: Check["find"]): Check["find"] {
  return (pod) => (pod.spec?.os?.name === "windows" ? undefined : find(pod));
}

function escalation(pod: PodLike): Finding | undefined {
  const bad = namesOf(pod, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (bad.length === 0) return undefined;
  return {
    reason: "allowPrivilegeEscalation != false",
    detail: `${named("container", bad)} must set securityContext.allowPrivilegeEscalation=false`,
  };
}

function capabilities(pod: PodLike): Finding | undefined {
  const added = ({ securityContext }: Container) =>
    (securityContext?.capabilities?.add ?? []).filter((one) => one !== "NET_BIND_SERVICE");
  const keeping = namesOf(
    pod,
    ({ securityContext }) => !securityContext?.capabilities?.drop?.includes("ALL"),
  );
  const adding = namesOf(pod, (container) => added(container).length > 0);
  const details = [
    ...(keeping.length === 0
      ? []
      : [`${named("container", keeping)} must set securityContext.capabilities.drop=["ALL"]`]),
    ...(adding.length === 0
      ? []
      : [
          `${named("container", adding)} must not include ${quoted(sorted(containersOf(pod).flatMap(added)))} in securityContext.capabilities.add`,
        ]),
  ];
  return details.length === 0
    ? undefined
    : { reason: "unrestricted capabilities", detail: details.join("; ") };
}

function volumes({ spec }: PodLike): Finding | undefined {
  const bad = (spec?.volumes ?? []).flatMap(({ name, ...sources }) => {
    const [type = "unknown"] = Object.entries(sources).flatMap(([field, source]) => (source ? [field] : []));
    return VOLUMES.has(type) ? [] : [{ name, type }];
  });
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map(({ type }) => type));
  const use = bad.length === 1 ? "uses" : "use";
  return {
    reason: "restricted volume types",
    detail: `${named(
      "volume",
      bad.map(({ name }) => name),
    )} ${use} ${plural("restricted volume type", types.length)} ${quoted(types)}`,
  };
}

function runAsNonRoot(pod: PodLike): Finding | undefined {
  const reason = "runAsNonRoot != true";
  const ofPod = pod.spec?.securityContext?.runAsNonRoot;
  const who = setters(
    ofPod === false,
    namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === false),
  );
  if (who !== undefined) return { reason, detail: `${who} must not set securityContext.runAsNonRoot=false` };
  const silent = namesOf(pod, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (ofPod === true || silent.length === 0) return undefined;
  return {
    reason,
    detail: `pod or ${named("container", silent)} must set securityContext.runAsNonRoot=true`,
  };
}

function runAsUser(pod: PodLike): Finding | undefined {
  const who = setters(
    pod.spec?.securityContext?.runAsUser === 0,
    namesOf(pod, ({ securityContext }) => securityContext?.runAsUser === 0),
  );
  return who === undefined ? undefined : { reason: "runAsUser=0", detail: `${who} must not set runAsUser=0` };
}

function seccomp(pod: PodLike): Finding | undefined {
  const bad = seccompTypes(pod);
  if (bad !== undefined) return bad;
  const silent = namesOf(pod, (container) => seccompOf(container) === undefined);
  if (hasSeccomp(pod) || silent.length === 0) return undefined;
  return {
    reason: "seccompProfile",
    detail: `pod or ${named("container", silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
}
