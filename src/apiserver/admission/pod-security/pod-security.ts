import type { Namespace, Pod } from "#kube/generated/types";
import { NAMESPACES, PODS } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../../admit.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { forbidden, invalidObject } from "../../status.ts";
import { detailsOf, findings } from "./evaluate.ts";
import {
  compareLevels,
  isSameLevel,
  type LevelVersion,
  readPolicy,
  type SecurityPolicy,
  showLevel,
} from "./level.ts";
import type { PodLike } from "./words.ts";

const IGNORED = new Set(["exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"]);
const ANNOTATIONS = "pod-security.kubernetes.io";
/** More existing pods than these are not looked at when a level changes. */
const MOST_PODS = 3000;

/** Keeps pods to the level that their namespace asks for: refuses, warns, notes. */
export const podSecurity: Admission = {
  name: "PodSecurity",
  validate: (request, context) => {
    if (request.operation !== "create" && request.operation !== "update") return;
    const { group, kind } = request.spec.resource;
    if (group === "" && kind === "Namespace") checkNamespace(request, context);
    else if (group === "" && kind === "Pod") checkPod(request, context);
    else checkTemplate(request, context);
  },
};

function policyFor({ namespace }: AdmissionRequest, context: WriteContext): ReturnType<typeof readPolicy> {
  return readPolicy(context.read(NAMESPACES, undefined, namespace ?? "")?.metadata.labels);
}

function isPrivileged({ enforce, audit, warn }: SecurityPolicy): boolean {
  return [enforce, audit, warn].every(({ level }) => level === "privileged");
}

function checkPod(request: AdmissionRequest, context: WriteContext): void {
  const { subresource, draft, stored, spec, name } = request;
  if (subresource !== undefined && IGNORED.has(subresource)) return;
  const { policy, errors } = policyFor(request, context);
  if (errors.length === 0 && isPrivileged(policy)) {
    context.annotate?.(`${ANNOTATIONS}/enforce-policy`, showLevel(policy.enforce));
    return;
  }
  if (stored !== undefined && !isSignificant(draft, stored)) return;
  const found = findings(draft, policy.enforce);
  context.annotate?.(`${ANNOTATIONS}/enforce-policy`, showLevel(policy.enforce));
  note(draft, policy, context);
  if (found.length > 0)
    throw forbidden(
      spec.resource,
      name === "" ? (draft.metadata.name ?? draft.metadata.generateName ?? "") : name,
      `violates PodSecurity ${JSON.stringify(showLevel(policy.enforce))}: ${detailsOf(found)}`,
    );
  warn(draft, policy, context);
}

/** Of what may change in a pod only images and new containers matter. */
function isSignificant(pod: Pod, before: Pod): boolean {
  const images = (all: readonly { image?: string | undefined }[] | undefined) =>
    JSON.stringify((all ?? []).map(({ image }) => image));
  const ephemeral = ({ spec }: Pod) =>
    new Map((spec?.ephemeralContainers ?? []).map(({ name, image }) => [name, image] as const));
  const known = ephemeral(before);
  return (
    images(pod.spec?.containers) !== images(before.spec?.containers) ||
    images(pod.spec?.initContainers) !== images(before.spec?.initContainers) ||
    [...ephemeral(pod)].some(([name, image]) => known.get(name) !== image)
  );
}

function warn(pod: PodLike, policy: SecurityPolicy, context: WriteContext): void {
  const found = findings(pod, policy.warn);
  if (found.length > 0)
    context.warn(`would violate PodSecurity ${JSON.stringify(showLevel(policy.warn))}: ${detailsOf(found)}`);
}

function note(pod: PodLike, policy: SecurityPolicy, context: WriteContext): void {
  if (context.annotate === undefined) return;
  const found = findings(pod, policy.audit);
  if (found.length > 0)
    context.annotate(
      `${ANNOTATIONS}/audit-violations`,
      `would violate PodSecurity ${JSON.stringify(showLevel(policy.audit))}: ${detailsOf(found)}`,
    );
}

/** A template is stored whatever it says; who makes it is warned. */
function checkTemplate(request: AdmissionRequest, context: WriteContext): void {
  const template = request.subresource === undefined ? templateOf(request) : undefined;
  if (template === undefined) return;
  const { policy } = policyFor(request, context);
  note(template, policy, context);
  warn(template, policy, context);
}

const BY_TEMPLATE = new Set([
  "apps/Deployment",
  "apps/ReplicaSet",
  "apps/StatefulSet",
  "apps/DaemonSet",
  "batch/Job",
  "/ReplicationController",
]);

function templateOf({ spec, draft }: AdmissionRequest): PodLike | undefined {
  const kind = `${spec.resource.group}/${spec.resource.kind}`;
  if (BY_TEMPLATE.has(kind)) return draft.spec?.template;
  if (kind === "batch/CronJob") return draft.spec?.jobTemplate?.spec?.template;
  return kind === "/PodTemplate" ? draft.template : undefined;
}

function checkNamespace({ subresource, draft, stored, spec }: AdmissionRequest, context: WriteContext): void {
  if (subresource !== undefined) return;
  const { policy, errors } = readPolicy(draft.metadata.labels);
  const before = readPolicy((stored as Namespace | undefined)?.metadata.labels);
  const isNews = stored === undefined || JSON.stringify(errors) !== JSON.stringify(before.errors);
  if (errors.length > 0 && isNews) throw invalidObject(spec, draft.metadata.name, errors);
  if (stored === undefined || !isStricter(policy.enforce, before.policy.enforce)) return;
  for (const warning of violations(draft.metadata.name, policy.enforce, context)) context.warn(warning);
}

function isStricter(now: LevelVersion, before: LevelVersion): boolean {
  if (now.level === "privileged" || isSameLevel(now, before)) return false;
  return now.minor !== before.minor || compareLevels(now.level, before.level) > 0;
}

/** Which pods of a namespace would not be let in any more, those with the same reasons together. */
function violations(namespace: string, enforce: LevelVersion, context: WriteContext): readonly string[] {
  const pods = context.list(PODS, namespace);
  const byReason = new Map<string, string[]>();
  for (const pod of pods.slice(0, MOST_PODS)) {
    const found = findings(pod, enforce);
    if (found.length === 0) continue;
    const reasons = found.map(({ reason }) => reason).join(", ");
    byReason.set(reasons, [...(byReason.get(reasons) ?? []), pod.metadata.name]);
  }
  const lines = [...byReason].map(([reasons, names]) => `${namesText(names)}: ${reasons}`).sort();
  const level = JSON.stringify(showLevel(enforce));
  return [
    ...(pods.length > MOST_PODS
      ? [
          `new PodSecurity enforce level only checked against the first ${MOST_PODS} of ${pods.length} existing pods`,
        ]
      : []),
    ...(lines.length > 0
      ? [
          `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${level}`,
        ]
      : []),
    ...lines,
  ];
}

function namesText(names: readonly string[]): string {
  const [first = ""] = [...names].sort();
  if (names.length === 1) return first;
  return names.length === 2 ? `${first} (and 1 other pod)` : `${first} (and ${names.length - 1} other pods)`;
}
