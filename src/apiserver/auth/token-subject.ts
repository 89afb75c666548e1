import type { KubeObject, Resource } from "#kube/object";
import { NODES, PODS, SECRETS, SERVICE_ACCOUNTS } from "#kube/resources";
import type { World } from "../cache/world.ts";
import { type JsonObject, objectAt, textAt } from "../json.ts";
import { notFound } from "../status.ts";
import type { User } from "./user.ts";

/** A bound object that is being deleted keeps its tokens this long. */
const DELETED_GRACE_MS = 60_000;
const INVALIDATED = "service account token has been invalidated";

const BINDINGS: readonly (readonly [string, Resource])[] = [
  ["secret", SECRETS],
  ["pod", PODS],
  ["node", NODES],
];

/** Why the account that a token names, or what the token is bound to, is not what it was when the token was made; undefined while it is.
 *  @param kubernetes the claims that Kubernetes adds to a JWT
 *  @see kubernetes pkg/serviceaccount/claims.go */
export function subjectProblem(
  kubernetes: JsonObject | undefined,
  { world, now }: { readonly world: World; readonly now: number },
): string | undefined {
  const namespace = textAt(kubernetes, "namespace") ?? "";
  const claimed = objectAt(kubernetes, "serviceaccount");
  const name = textAt(claimed, "name") ?? "";
  const uid = textAt(claimed, "uid") ?? "";
  const account = world.read(SERVICE_ACCOUNTS, namespace, name);
  if (account === undefined) return notFound(SERVICE_ACCOUNTS, name).message;
  if (account.metadata.uid !== uid)
    return `service account UID (${account.metadata.uid}) does not match claim (${uid})`;
  if (isGone(account, now)) return `service account ${namespace}/${name} has been deleted`;
  for (const [kind, resource] of BINDINGS) {
    const bound = objectAt(kubernetes, kind);
    // A node beside a pod only says where the pod ran when the token was made.
    if (bound === undefined || (kind === "node" && objectAt(kubernetes, "pod") !== undefined)) continue;
    const where = resource.namespaced ? namespace : undefined;
    const object = world.read<KubeObject>(resource, where, textAt(bound, "name") ?? "");
    if (object === undefined || isGone(object, now)) return INVALIDATED;
    const boundUid = textAt(bound, "uid") ?? "";
    if (object.metadata.uid !== boundUid)
      return `${kind} UID (${object.metadata.uid}) does not match service account ${kind} ref claim (${boundUid})`;
  }
  return undefined;
}

function isGone({ metadata }: KubeObject, now: number): boolean {
  return (
    metadata.deletionTimestamp !== undefined &&
    now - Date.parse(metadata.deletionTimestamp) > DELETED_GRACE_MS
  );
}

export function accountUser(namespace: string, name: string): User {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
  };
}
