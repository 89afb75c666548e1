/** What is wrong with an object of the API, as far as routing goes. The rest of it, and every other service, is routed. */
import { createHash } from "node:crypto";

export const PROBLEM_REASONS = [
  /** Another service has that address and port. */
  "FrontendTaken",
  /** An endpoint has an address that nothing can be sent to from here: loopback, link-local, multicast. */
  "EndpointIgnored",
  /** The port on this node's address, or on another node's, belongs to the node itself. */
  "PortReserved",
  /** A process of this node listens there. */
  "PortInUse",
  "BadAnnotation",
  /** More services with session affinity than marks can number, or more endpoints in one of them. */
  "TooManyAffinityGroups",
  /** The port for health checks is taken. */
  "FailedToStartServiceHealthcheck",
] as const;
export type ProblemReason = (typeof PROBLEM_REASONS)[number];

export interface Problem {
  readonly reason: ProblemReason;
  /** One sentence that names what is meant and says what is done instead. */
  readonly message: string;
}

export interface ServiceProblem extends Problem {
  /** `namespace/name` */
  readonly service: string;
}

/** Reasons that only one node sees; the others are seen by all nodes alike. */
const OF_ONE_NODE: readonly ProblemReason[] = [
  "PortInUse",
  "PortReserved",
  "FailedToStartServiceHealthcheck",
];

export function isOfOneNode({ reason }: Pick<Problem, "reason">): boolean {
  return OF_ONE_NODE.includes(reason);
}

/** Sixteen digits that two problems share only if they are the same one, whichever node tells it. */
export function problemId({ service, reason, message }: ServiceProblem): string {
  return createHash("sha256")
    .update(JSON.stringify([service, reason, message]))
    .digest("hex")
    .slice(0, 16);
}

/** Each once, sorted: both families may have the same one. */
export function sortedProblems(problems: Iterable<ServiceProblem>): readonly ServiceProblem[] {
  const byText = new Map<string, ServiceProblem>();
  for (const problem of problems)
    byText.set(`${problem.service} ${problem.reason} ${problem.message}`, problem);
  return [...byText.keys()].sort().flatMap((text) => byText.get(text) ?? []);
}
