import { Fault } from "#fault/fault";
import type { KubeClient } from "#kube/client";
import { formatWish, isAllowed, type Wish } from "./access.ts";

interface Rule {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** All that ServiceLB asks of an API. */
const RULES: readonly Rule[] = [
  { group: "", resources: ["services"], verbs: ["get", "list", "watch"] },
  { group: "", resources: ["services/status"], verbs: ["patch"] },
  { group: "", resources: ["nodes", "pods"], verbs: ["list", "watch"] },
  { group: "discovery.k8s.io", resources: ["endpointslices"], verbs: ["list", "watch"] },
  { group: "apps", resources: ["daemonsets"], verbs: ["get", "list", "watch", "create", "update", "delete"] },
  { group: "", resources: ["namespaces", "serviceaccounts"], verbs: ["get", "create"] },
  { group: "coordination.k8s.io", resources: ["leases"], verbs: ["get", "create", "update"] },
  { group: "", resources: ["events"], verbs: ["create", "patch"] },
];
/** Without it a class that does not exist is not told of. */
const OPTIONAL: readonly Rule[] = [
  { group: "scheduling.k8s.io", resources: ["priorityclasses"], verbs: ["get"] },
];

export const SERVICELB_ROLE = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: twill-servicelb}
rules:
${[...RULES, ...OPTIONAL].map(formatRule).join("\n")}`;

/** Returns when the cluster lets us do all of it. @throws {Fault} NotAllowed with what is missing, and the role that has it; ApiFault when nobody answers */
export async function checkServiceLbRights(client: KubeClient): Promise<void> {
  const wishes = RULES.flatMap(wishesOf);
  const answers = await Promise.all(wishes.map((wish) => isAllowed(client, wish)));
  const missing = wishes.filter((_, index) => !answers[index]);
  if (missing.length > 0)
    throw new Fault(
      "NotAllowed",
      `Cannot be the cluster's ServiceLB: the cluster does not allow ${missing.map(formatWish).join(", ")}; bind this role to the kubeconfig's user or the service account:\n${SERVICELB_ROLE}\n`,
    );
}

function wishesOf({ group, resources, verbs }: Rule): readonly Wish[] {
  return resources.flatMap((path) => {
    const [resource = "", subresource] = path.split("/");
    return verbs.map((verb) => ({ verb, group, resource, ...(subresource ? { subresource } : {}) }));
  });
}

function formatRule({ group, resources, verbs }: Rule): string {
  const apiGroup = group === "" ? '""' : group;
  return `- {apiGroups: [${apiGroup}], resources: [${resources.join(", ")}], verbs: [${verbs.join(", ")}]}`;
}
