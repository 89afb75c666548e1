import type {
  ContainerStatus,
  Pod,
  PodFailurePolicy,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
} from "#kube/generated/types";

/** What a Job's failure policy makes of one failed pod. */
export interface FailureVerdict {
  /** Whether the failure counts towards a limit. */
  readonly counts: boolean;
  readonly action?: string;
  /** Why the whole Job fails because of it. */
  readonly failsJob?: string;
}

/** The first rule that matches decides; a failure no rule matches simply counts. */
export function judgeFailure(policy: PodFailurePolicy | undefined, pod: Pod): FailureVerdict {
  for (const [index, rule] of (policy?.rules ?? []).entries()) {
    const found = matchRule(rule, pod);
    if (found === undefined) continue;
    const { action } = rule;
    if (action === "FailJob")
      return { counts: true, action, failsJob: `${found} matching FailJob rule at index ${index}` };
    return { counts: action !== "Ignore", action };
  }
  return { counts: true };
}

/** What about the pod matches the rule, in words. */
function matchRule(rule: PodFailurePolicyRule, pod: Pod): string | undefined {
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  if (rule.onExitCodes !== undefined) {
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
    const status =
      matchExitCode(containerStatuses, rule.onExitCodes) ??
      matchExitCode(initContainerStatuses, rule.onExitCodes);
    if (status === undefined) return undefined;
    const code = status.state?.terminated?.exitCode;
    return `Container ${status.name} for pod ${name} failed with exit code ${code}`;
  }
  const matching = pod.status?.conditions?.find((condition) =>
    rule.onPodConditions?.some(
      ({ type, status = "True" }) => type === condition.type && status === condition.status,
    ),
  );
  return matching && `Pod ${name} has condition ${matching.type}`;
}

function matchExitCode(
  statuses: readonly ContainerStatus[],
  { containerName, operator, values }: PodFailurePolicyOnExitCodesRequirement,
): ContainerStatus | undefined {
  return statuses.find(({ name, state }) => {
    const code = state?.terminated?.exitCode;
    if (code === undefined || code === 0) return false;
    if (containerName !== undefined && containerName !== name) return false;
    return values.includes(code) === (operator === "In");
  });
}
