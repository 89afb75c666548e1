import type { Container, ContainerRestartRule, Pod } from "#kube/generated/types";
import type { ContainerView } from "./run-view.ts";

/** Whether a container that has ended with `code` is to run again: by its own rules, by its own policy, by its pod's. A plain init
 *  container that has done its work never is, an ephemeral one is not whatever became of it.
 *  @see ContainerShouldRestart in kubernetes pkg/api/v1/pod */
export function restartsAfter({ kind, spec }: ContainerView, pod: Pod, code: number): boolean {
  switch (kind) {
    case "sidecar":
      return true;
    case "ephemeral":
      return false;
    case "init":
      return code !== 0 && restarts(spec, pod, code);
    case "regular":
      return restarts(spec, pod, code);
    default:
      return kind satisfies never;
  }
}

/** Whether all containers of the pod are to begin anew because this one ended with `code`. */
export function restartsAll({ spec }: ContainerView, code: number): boolean {
  return matchingRule(spec, code)?.action === "RestartAllContainers";
}

function restarts(spec: Container, pod: Pod, code: number): boolean {
  if (matchingRule(spec, code)) return true;
  const policy = spec.restartPolicy ?? pod.spec?.restartPolicy ?? "Always";
  return policy === "Always" || (policy === "OnFailure" && code !== 0);
}

/** Rules hold only beside a policy of the container's own. */
function matchingRule(
  { restartPolicy, restartPolicyRules }: Container,
  code: number,
): ContainerRestartRule | undefined {
  if (restartPolicy === undefined) return undefined;
  return restartPolicyRules?.find(({ exitCodes }) => {
    const isNamed = exitCodes?.values?.includes(code) ?? false;
    return exitCodes !== undefined && (exitCodes.operator === "NotIn" ? !isNamed : isNamed);
  });
}
