import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from "#kube/generated/types";
import { openWorld } from "../testing/world.ts";
import { ClusterAuthorizer } from "./authorize.ts";
import { type Attempt, Impersonator } from "./impersonate.ts";
import { NodeAuthorizer } from "./node-authorizer.ts";
import { NodeGraph } from "./node-graph.ts";
import { Rbac } from "./rbac.ts";
import type { User } from "./user.ts";

const AUTH = "authentication.k8s.io";
const rule = (group: string, resources: string, verbs: string): PolicyRule => ({
  apiGroups: [group],
  resources: resources.split(" "),
  verbs: verbs.split(" "),
});
/** A role for a user of the same name. */
const may = (name: string, ...rules: PolicyRule[]): readonly [ClusterRole, ClusterRoleBinding] => [
  { kind: "ClusterRole", metadata: { name }, rules },
  {
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name }],
  },
];
const AGENT = "system:serviceaccount:a:agent";
const { world } = openWorld([
  ...may(
    "legacy",
    rule("", "users groups serviceaccounts", "impersonate"),
    rule(AUTH, "uids", "impersonate"),
  ),
  ...may(
    "info",
    rule(AUTH, "users groups uids userextras/*", "impersonate:user-info"),
    rule("", "pods", "impersonate-on:user-info:list"),
  ),
  ...may(
    AGENT,
    rule(AUTH, "nodes", "impersonate:associated-node"),
    rule("", "pods", "impersonate-on:associated-node:list"),
  ),
]);
const authorizer = new ClusterAuthorizer({
  rbac: new Rbac(world),
  nodes: new NodeAuthorizer(new NodeGraph(world)),
});
const user = (name: string, extra?: User["extra"]): User => ({
  name,
  groups: ["system:authenticated"],
  ...(extra && { extra }),
});
const agent = user(AGENT, { "authentication.kubernetes.io/node-name": ["n1"] });
const master: User = { name: "root", groups: ["system:masters"] };
const attempt = (verb: string): Attempt => ({
  resource: { verb, group: "", plural: "pods", subresource: undefined, namespace: "a", name: "" },
});

type Headers = Readonly<Record<string, readonly string[]>>;
const cases: readonly (readonly [string, User, string, Headers, string])[] = [
  [
    "the oldest way, for anything",
    user("legacy"),
    "get",
    { user: ["bob"] },
    "bob (system:authenticated) by ",
  ],
  [
    "a service account with its groups",
    user("legacy"),
    "get",
    { user: ["system:serviceaccount:x:y"] },
    "system:serviceaccount:x:y (system:serviceaccounts system:serviceaccounts:x system:authenticated) by ",
  ],
  [
    "nobody in particular",
    user("legacy"),
    "get",
    { user: ["system:anonymous"] },
    "system:anonymous (system:unauthenticated) by ",
  ],
  [
    "a group that may not",
    user("legacy"),
    "get",
    { user: ["bob"], "extra-a": ["b"] },
    'pods is forbidden: User "legacy" cannot impersonate-on:user-info:get resource "pods" in API group "" in the namespace "a"',
  ],
  [
    "a user, for what is allowed",
    user("info"),
    "list",
    { user: ["bob"], group: ["dev"] },
    "bob (dev system:authenticated) by impersonate:user-info",
  ],
  [
    "a user, for something else",
    user("info"),
    "get",
    { user: ["bob"] },
    'pods is forbidden: User "info" cannot impersonate-on:user-info:get resource "pods" in API group "" in the namespace "a"',
  ],
  [
    "masters by a narrow way",
    user("info"),
    "list",
    { user: ["bob"], group: ["system:masters"] },
    'groups.authentication.k8s.io "system:masters" is forbidden: User "info" cannot impersonate:user-info resource "groups" in API group "authentication.k8s.io" at the cluster scope: impersonating the system:masters group is not allowed',
  ],
  [
    "an extra without a domain",
    user("info"),
    "list",
    { user: ["bob"], "extra-a": ["b"] },
    'userextras.authentication.k8s.io is forbidden: User "info" cannot impersonate:user-info resource "userextras" in API group "authentication.k8s.io" at the cluster scope: impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "a": must be a domain-prefixed path (such as "acme.io/foo")',
  ],
  [
    "a node that is not the asker's",
    agent,
    "list",
    { user: ["system:node:n2"] },
    'pods is forbidden: User "system:serviceaccount:a:agent" cannot impersonate-on:arbitrary-node:list resource "pods" in API group "" in the namespace "a"',
  ],
  [
    "the asker's own node",
    agent,
    "list",
    { user: ["system:node:n1"] },
    "system:node:n1 (system:nodes system:authenticated) by impersonate:associated-node",
  ],
  [
    "masters by a master",
    master,
    "list",
    { user: ["bob"], group: ["system:masters"] },
    "bob (system:masters system:authenticated) by ",
  ],
  [
    "no user",
    master,
    "list",
    { uid: ["u"], group: ["a", "b"] },
    'requested &user.DefaultInfo{Name:"", UID:"u", Groups:[]string{"a", "b"}, Extra:map[string][]string(nil)} without impersonating a user name',
  ],
  ["nothing", master, "list", {}, "undefined"],
];
for (const [name, asker, verb, wish, expected] of cases)
  test(`impersonation: ${name}`, async () => {
    const headers = Object.fromEntries(
      Object.entries(wish).map(([key, values]) => [`impersonate-${key}`, [...values]]),
    );
    const answer = await new Impersonator(authorizer)
      .impersonate(asker, headers, attempt(verb))
      .then((found) => found && `${found.user.name} (${found.user.groups.join(" ")}) by ${found.constraint}`)
      .catch((error: Error) => error.message);
    assert.equal(String(answer), expected);
  });

test("the way that was last allowed is tried first, and its refusal is told", async () => {
  const impersonator = new Impersonator(authorizer);
  const as = (headers: NodeJS.Dict<string[]>) =>
    impersonator.impersonate(user("legacy"), headers, attempt("get"));
  await as({ "impersonate-user": ["bob"] });
  await assert.rejects(as({ "impersonate-user": ["bob"], "impersonate-extra-a": ["b"] }), {
    message:
      'userextras.authentication.k8s.io "b" is forbidden: User "legacy" cannot impersonate resource "userextras/a" in API group "authentication.k8s.io" at the cluster scope',
  });
});
