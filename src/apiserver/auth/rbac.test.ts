import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from "#kube/generated/types";
import { openWorld } from "../testing/world.ts";
import type { ResourceAttributes } from "./attributes.ts";
import { Rbac } from "./rbac.ts";
import { compactRules, ruleAllows, ruleAllowsPath, ruleText, uncoveredRules } from "./rules.ts";
import type { User } from "./user.ts";

const GROUP = "rbac.authorization.k8s.io";
const rule = (groups: string, resources: string, verbs: string, names?: string): PolicyRule => ({
  apiGroups: groups.split(" ").map((group) => (group === "core" ? "" : group)),
  resources: resources.split(" "),
  verbs: verbs.split(" "),
  ...(names === undefined ? {} : { resourceNames: names.split(" ") }),
});
/** `verb group/plural[/subresource] [namespace:]name`, core is no group. */
const asking = (verb: string, what: string, name = "", namespace?: string): ResourceAttributes => {
  const [group = "", plural = "", subresource] = what.split("/");
  return { verb, group: group === "core" ? "" : group, plural, subresource, namespace, name };
};

const matches: readonly (readonly [string, PolicyRule, ResourceAttributes, boolean])[] = [
  ["the very thing", rule("core", "pods", "get"), asking("get", "core/pods"), true],
  ["another verb", rule("core", "pods", "get"), asking("list", "core/pods"), false],
  ["another group", rule("apps", "pods", "get"), asking("get", "core/pods"), false],
  ["every verb", rule("core", "pods", "*"), asking("anything", "core/pods"), true],
  ["every group", rule("*", "pods", "get"), asking("get", "apps/pods"), true],
  ["a subresource is another resource", rule("core", "pods", "get"), asking("get", "core/pods/log"), false],
  ["and the other way round", rule("core", "pods/log", "get"), asking("get", "core/pods"), false],
  ["every resource covers subresources", rule("core", "*", "get"), asking("get", "core/pods/log"), true],
  [
    "one subresource of everything",
    rule("*", "*/scale", "get"),
    asking("get", "apps/deployments/scale"),
    true,
  ],
  ["and no other", rule("*", "*/scale", "get"), asking("get", "apps/deployments/status"), false],
  ["no glob within a resource", rule("core", "pods/*", "get"), asking("get", "core/pods/log"), false],
  ["its name", rule("core", "secrets", "get", "a b"), asking("get", "core/secrets", "b"), true],
  ["another name", rule("core", "secrets", "get", "a"), asking("get", "core/secrets", "b"), false],
  ["no name at all", rule("core", "secrets", "list", "a"), asking("list", "core/secrets"), false],
  ["a star is no name", rule("core", "secrets", "get", "*"), asking("get", "core/secrets", "b"), false],
  ["a rule on paths", { nonResourceURLs: ["*"], verbs: ["*"] }, asking("get", "core/pods"), false],
];
for (const [name, given, wanted, answer] of matches)
  test(`rules: ${name}`, () => {
    assert.equal(ruleAllows(given, wanted), answer);
  });

const paths: readonly (readonly [string, string, boolean])[] = [
  ["/healthz", "/healthz", true],
  ["/healthz", "/healthz/", false],
  ["/healthz/*", "/healthz/ping", true],
  ["/healthz/*", "/healthz", false],
  ["/heal*", "/healthz", true],
  ["*", "/anything", true],
  ["/a*b", "/axb", false],
];
for (const [url, path, answer] of paths)
  test(`a rule on ${url} ${answer ? "covers" : "does not cover"} ${path}`, () => {
    assert.equal(ruleAllowsPath({ nonResourceURLs: [url], verbs: ["get"] }, { verb: "get", path }), answer);
  });

const coverings: readonly (readonly [string, PolicyRule, readonly PolicyRule[], readonly string[]])[] = [
  ["itself", rule("core", "pods", "get list"), [rule("core", "pods", "get list")], []],
  [
    "in two halves",
    rule("core", "pods", "get list"),
    [rule("core", "pods", "get"), rule("core", "pods", "list")],
    [],
  ],
  [
    "but for one verb",
    rule("core", "pods", "get delete"),
    [rule("core", "pods", "get")],
    ['{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}'],
  ],
  ["named by unnamed", rule("core", "pods", "get", "a"), [rule("core", "pods", "get")], []],
  [
    "unnamed by named",
    rule("core", "pods", "get"),
    [rule("core", "pods", "get", "a")],
    ['{APIGroups:[""], Resources:["pods"], Verbs:["get"]}'],
  ],
  [
    "everything by many",
    rule("*", "*", "*"),
    [rule("core apps", "*", "*")],
    ['{APIGroups:["*"], Resources:["*"], Verbs:["*"]}'],
  ],
  [
    "two verbs on a name become one line",
    rule("core", "pods", "get list", "a"),
    [],
    ['{APIGroups:[""], Resources:["pods"], ResourceNames:["a"], Verbs:["get" "list"]}'],
  ],
  [
    "a path by a glob",
    { nonResourceURLs: ["/healthz/ping"], verbs: ["get"] },
    [{ nonResourceURLs: ["/healthz/*"], verbs: ["get"] }],
    [],
  ],
  ["a scale by all scales", rule("apps", "deployments/scale", "get"), [rule("*", "*/scale", "get")], []],
];
for (const [name, wanted, held, missing] of coverings)
  test(`covering ${name}`, () => {
    assert.deepEqual(compactRules(uncoveredRules([wanted], held)).map(ruleText), missing);
  });

const clusterRole = (name: string, ...rules: PolicyRule[]): ClusterRole => ({
  kind: "ClusterRole",
  metadata: { name },
  rules,
});
const role = (namespace: string, name: string, ...rules: PolicyRule[]): Role => ({
  kind: "Role",
  metadata: { name, namespace },
  rules,
});
const user = (name: string): Subject => ({ kind: "User", apiGroup: GROUP, name });
const everywhere = (name: string, of: string, ...subjects: Subject[]): ClusterRoleBinding => ({
  kind: "ClusterRoleBinding",
  metadata: { name },
  roleRef: { apiGroup: GROUP, kind: "ClusterRole", name: of },
  subjects,
});
const inside = (namespace: string, name: string, of: string, ...subjects: Subject[]): RoleBinding => ({
  kind: "RoleBinding",
  metadata: { name, namespace },
  roleRef: {
    apiGroup: GROUP,
    kind: of.startsWith("cluster:") ? "ClusterRole" : "Role",
    name: of.replace("cluster:", ""),
  },
  subjects,
});
const bob: User = { name: "bob", groups: ["dev", "system:authenticated"] };
const robot: User = { name: "system:serviceaccount:a:robot", groups: ["system:serviceaccounts"] };
const getPods = (namespace: string) => asking("get", "core/pods", "x", namespace);

test("bindings reach users, groups and accounts, and say so", async () => {
  const { world, put, remove } = openWorld([clusterRole("reader", rule("core", "pods", "get"))]);
  const rbac = new Rbac(world);
  assert.deepEqual(rbac.decide(bob, getPods("a")), { allowed: false, reason: "" });
  const byUser = inside("a", "b", "cluster:reader", user("bob"));
  await put(byUser);
  assert.deepEqual(rbac.decide(bob, getPods("a")), {
    allowed: true,
    reason: 'RBAC: allowed by RoleBinding "b/a" of ClusterRole "reader" to User "bob"',
  });
  assert.equal(rbac.decide(bob, getPods("b")).allowed, false);
  await remove(byUser);
  assert.equal(rbac.decide(bob, getPods("a")).allowed, false);
  const byGroup = everywhere("all", "reader", { kind: "Group", apiGroup: GROUP, name: "dev" });
  await put(byGroup);
  assert.equal(
    rbac.decide(bob, getPods("b")).reason,
    'RBAC: allowed by ClusterRoleBinding "all" of ClusterRole "reader" to Group "dev"',
  );
  await put(inside("a", "r", "cluster:reader", { kind: "ServiceAccount", name: "robot" }));
  assert.equal(
    rbac.decide(robot, getPods("a")).reason,
    'RBAC: allowed by RoleBinding "r/a" of ClusterRole "reader" to ServiceAccount "robot/a"',
  );
  // the same binding with other subjects
  await put(everywhere("all", "reader", user("eve")));
  assert.equal(rbac.decide(bob, getPods("b")).allowed, false);
  assert.equal(rbac.decide({ name: "eve", groups: [] }, getPods("b")).allowed, true);
});

test("a role of another namespace, and one that is not there, give nothing", async () => {
  const { world } = openWorld([
    role("a", "r", rule("core", "pods", "get")),
    inside("b", "x", "r", user("bob")),
    everywhere("y", "gone", user("bob")),
  ]);
  assert.deepEqual(new Rbac(world).decide(bob, getPods("b")), {
    allowed: false,
    reason: `RBAC: [clusterrole.${GROUP} "gone" not found, role.${GROUP} "r" not found]`,
  });
});

test("a question costs what the asker's own bindings cost, not what all do", (t) => {
  const others = Array.from({ length: 1000 }, (_, i) => everywhere(`b${i}`, "reader", user(`u${i}`)));
  const { world } = openWorld([clusterRole("reader", rule("core", "pods", "get")), ...others]);
  const rbac = new Rbac(world);
  const started = process.hrtime.bigint();
  for (let i = 0; i < 10_000; i++) rbac.decide({ name: `u${i % 1000}`, groups: bob.groups }, getPods("a"));
  const nanos = Number(process.hrtime.bigint() - started) / 10_000;
  t.diagnostic(`one decision among 1000 bindings: ${(nanos / 1000).toFixed(1)} µs`);
  assert.equal(rbac.decide({ name: "u7", groups: [] }, getPods("a")).allowed, true);
});
