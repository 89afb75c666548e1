import { randomInt } from "node:crypto";
import type { Admission } from "../admit.ts";
import { defaultIngressClass, defaultStorageClass } from "./default-class.ts";
import { defaultTolerations } from "./default-tolerations.ts";
import { limitRanger } from "./limit-range/limit-ranger.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";
import { newNodeTaint } from "./new-node-taint.ts";
import { nodeRestriction } from "./node-restriction.ts";
import { podSecurity } from "./pod-security/pod-security.ts";
import { podTopology } from "./pod-topology.ts";
import { priority } from "./priority.ts";
import { runtimeClass } from "./runtime-class.ts";
import { serviceAccount } from "./service-account.ts";

/** Letters and digits that make no words. */
const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

/** Five characters that tell generated names apart. */
export function randomSuffix(): string {
  const base = SUFFIX_LETTERS.length;
  let suffix = "";
  for (let rest = randomInt(base ** 5); suffix.length < 5; rest = Math.floor(rest / base))
    suffix += SUFFIX_LETTERS[rest % base];
  return suffix;
}

/** Everything between defaulting and validation, in the order kube-apiserver runs it. */
export function openAdmission(
  options: { suffix: () => string } = { suffix: randomSuffix },
): readonly Admission[] {
  return [
    namespaceLifecycle, // nothing new in a namespace that is missing or going
    limitRanger, // what containers get that say nothing, and between which bounds
    serviceAccount(options.suffix), // who a pod is, and the token that proves it
    nodeRestriction, // a node changes its own things only
    newNodeTaint, // nothing is scheduled to a node before it is ready
    podSecurity, // no more rights than the namespace allows
    priority, // the number behind a pod's priority class
    defaultTolerations, // pods stay five minutes on a node that went away
    runtimeClass, // what a pod's runtime costs, and where there is one
    defaultStorageClass,
    defaultIngressClass,
    podTopology, // in which zone and region a pod with a node is
  ];
}
