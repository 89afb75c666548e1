import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "#kube/object";
import type { AdmissionRequest } from "../admit.ts";
import { ClusterAuthorizer } from "../auth/authorize.ts";
import { NodeAuthorizer } from "../auth/node-authorizer.ts";
import { NodeGraph } from "../auth/node-graph.ts";
import { Rbac } from "../auth/rbac.ts";
import type { Draft } from "../kinds/kind.ts";
import { emptyContext } from "../kinds/testing/write.ts";
import { StatusFault } from "../status.ts";
import { openWorld } from "../testing/world.ts";
import { rbacEscalation } from "./rbac-escalation.ts";

const GROUP = "rbac.authorization.k8s.io";
const bob = { name: "bob", groups: ["system:authenticated"] };
const pods = (...verbs: string[]) => ({ apiGroups: [""], resources: ["pods"], verbs });
const mine = (...rules: object[]): readonly KubeObject[] => [
  { kind: "ClusterRole", metadata: { name: "mine" }, rules } as KubeObject,
  {
    kind: "ClusterRoleBinding",
    metadata: { name: "mine" },
    roleRef: { apiGroup: GROUP, kind: "ClusterRole", name: "mine" },
    subjects: [{ kind: "User", name: "bob" }],
  } as KubeObject,
];
const all = {
  kind: "ClusterRole",
  metadata: { name: "all" },
  rules: [{ nonResourceURLs: ["*"], verbs: ["*"] }],
} as KubeObject;
const role = (...rules: object[]): Draft => ({ metadata: { name: "r", namespace: "default" }, rules });
const binding = (name: string): Draft => ({
  metadata: { name: "b", namespace: "default" },
  roleRef: { apiGroup: GROUP, kind: "ClusterRole", name },
  subjects: [],
});
const gathering: Draft = { metadata: { name: "g" }, aggregationRule: { clusterRoleSelectors: [] } };
const rbacVerb = (verb: string, resource: string, ...resourceNames: string[]) => ({
  apiGroups: [GROUP],
  resources: [resource],
  verbs: [verb],
  ...(resourceNames.length === 0 ? {} : { resourceNames }),
});
const WHO =
  'user "bob" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:';

interface Case {
  readonly name: string;
  readonly kind: "Role" | "RoleBinding" | "ClusterRole";
  readonly draft: Draft;
  readonly stored?: Draft;
  readonly objects: readonly KubeObject[];
  readonly want?: string;
}

const cases: readonly Case[] = [
  { name: "rights one has", kind: "Role", draft: role(pods("get")), objects: mine(pods("get", "list")) },
  {
    name: "rights one lacks",
    kind: "Role",
    draft: role(pods("get", "delete", "watch")),
    objects: mine(pods("get")),
    want: `Forbidden: roles.${GROUP} "r" is forbidden: ${WHO}\n{APIGroups:[""], Resources:["pods"], Verbs:["delete" "watch"]}`,
  },
  {
    name: "rights one lacks, as one who may escalate",
    kind: "Role",
    draft: role(pods("delete")),
    objects: mine(rbacVerb("escalate", "roles")),
  },
  {
    name: "rights one lacks, as one who may escalate another role",
    kind: "Role",
    draft: role(pods("delete")),
    objects: mine(rbacVerb("escalate", "roles", "other")),
    want: `Forbidden: roles.${GROUP} "r" is forbidden: ${WHO}\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}`,
  },
  {
    name: "a label on a role that is more than one has",
    kind: "Role",
    draft: { ...role(pods("delete")), metadata: { name: "r", namespace: "default", labels: { a: "b" } } },
    stored: role(pods("delete")),
    objects: mine(pods("get")),
    want: `Forbidden: roles.${GROUP} "r" is forbidden: ${WHO}\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}`,
  },
  {
    name: "what the garbage collector changes",
    kind: "Role",
    draft: { ...role(pods("delete")), metadata: { name: "r", namespace: "default", finalizers: ["x"] } },
    stored: role(pods("delete")),
    objects: mine(pods("get")),
  },
  {
    name: "one's own role to others",
    kind: "RoleBinding",
    draft: binding("mine"),
    objects: mine(pods("get")),
  },
  {
    name: "a role that is more than one has",
    kind: "RoleBinding",
    draft: binding("all"),
    objects: [...mine(pods("get")), all],
    want: `Forbidden: rolebindings.${GROUP} "b" is forbidden: ${WHO}\n{NonResourceURLs:["*"], Verbs:["*"]}`,
  },
  {
    name: "a role that is more than one has, as one who may bind it",
    kind: "RoleBinding",
    draft: binding("all"),
    objects: [...mine(rbacVerb("bind", "clusterroles", "all")), all],
  },
  {
    name: "a role that is not there",
    kind: "RoleBinding",
    draft: binding("gone"),
    objects: mine(pods("get")),
    want: `NotFound: rolebindings.${GROUP} "gone" not found`,
  },
  {
    name: "whatever will be gathered",
    kind: "ClusterRole",
    draft: gathering,
    objects: mine(pods("*")),
    want: `Forbidden: clusterroles.${GROUP} "g" is forbidden: must have cluster-admin privileges to use the aggregationRule`,
  },
  {
    name: "whatever will be gathered, as one who has everything",
    kind: "ClusterRole",
    draft: gathering,
    objects: mine(
      { apiGroups: ["*"], resources: ["*"], verbs: ["*"] },
      { nonResourceURLs: ["*"], verbs: ["*"] },
    ),
  },
];

for (const { name, kind, draft, stored, objects, want } of cases)
  test(`granting ${name} is ${want === undefined ? "allowed" : "refused"}`, async () => {
    const { world } = openWorld(objects);
    const authorizer = new ClusterAuthorizer({
      rbac: new Rbac(world),
      nodes: new NodeAuthorizer(new NodeGraph(world)),
    });
    const spec = world.kinds.find(({ resource }) => resource.kind === kind);
    assert.ok(spec);
    const request: AdmissionRequest = {
      operation: stored === undefined ? "create" : "update",
      spec,
      subresource: undefined,
      namespace: draft.metadata.namespace,
      name: draft.metadata.name,
      draft,
      stored,
    };
    const context = { ...emptyContext(objects), user: bob };
    let said: string | undefined;
    try {
      await rbacEscalation(authorizer).validate?.(request, context);
    } catch (error) {
      if (!(error instanceof StatusFault)) throw error;
      said = `${error.code}: ${error.message}`;
    }
    assert.equal(said, want);
  });
