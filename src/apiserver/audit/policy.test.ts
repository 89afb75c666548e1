import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "#fault/fault";
import { parseAuditPolicy } from "./parse-policy.ts";
import { type AuditTarget, verdictOf } from "./policy.ts";

const HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n";
const POLICY = parseAuditPolicy(`${HEAD}omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:kube-proxy"]
  verbs: [watch]
  resources: [{group: "", resources: [endpoints, services]}]
- level: None
  nonResourceURLs: ["/healthz*", /version]
- level: None
  userGroups: ["system:nodes"]
  verbs: [get]
  resources: [{resources: [nodes, "nodes/*"]}]
- level: Metadata
  omitManagedFields: true
  resources: [{group: "", resources: [secrets, configmaps], resourceNames: [hidden]}, {resources: ["*/token"]}]
- level: RequestResponse
  namespaces: [kube-system]
  omitStages: [ResponseStarted]
- level: Request
  resources: [{group: ""}]
- level: Metadata
`);

/** `verb group/plural[/sub] [ns/]name`, or `verb /path` */
function target(text: string): AuditTarget {
  const [verb = "", what = "", where = ""] = text.split(" ");
  if (what.startsWith("/")) return { verb, path: what, resource: undefined };
  const [group = "", plural = "", subresource] = what.split("/");
  const [namespace, name] = where.includes("/") ? where.split("/") : [undefined, where];
  return {
    verb,
    path: "",
    resource: {
      group: group === "core" ? "" : group,
      version: "v1",
      plural,
      subresource,
      namespace,
      name: name || undefined,
    },
  };
}

const rows: readonly (readonly [string, string, string])[] = [
  ["system:kube-proxy", "watch core/services", "None"],
  ["system:kube-proxy", "list core/services", "Request"],
  ["someone", "watch core/services", "Request"],
  ["someone", "get /healthz/ping", "None"],
  ["someone", "get /version", "None"],
  ["someone", "get /version/", "Metadata"],
  ["node", "get core/nodes n1", "None"],
  ["node", "get core/nodes/status n1", "None"],
  ["node", "patch core/nodes/status n1", "Request"],
  ["someone", "get core/secrets default/hidden", "Metadata"],
  ["someone", "get core/secrets default/other", "Request"],
  ["someone", "create core/serviceaccounts/token default/robot", "Metadata"],
  ["someone", "get apps/deployments kube-system/x", "RequestResponse"],
  ["someone", "get apps/deployments default/x", "Metadata"],
  ["someone", "get core/pods/log default/x", "Request"],
];
for (const [who, request, level] of rows)
  test(`${who}: ${request} is written down as ${level}`, () => {
    const user = { name: who, groups: who === "node" ? ["system:nodes"] : [] };
    assert.equal(verdictOf(POLICY, user, target(request)).level, level);
  });

test("stages to leave out add up, and a rule's word on managed fields beats the policy's", () => {
  const user = { name: "x", groups: [] };
  const system = verdictOf(POLICY, user, target("get apps/deployments kube-system/x"));
  assert.deepEqual([...system.omitStages], ["RequestReceived", "ResponseStarted"]);
  assert.equal(system.omitManagedFields, false);
  assert.equal(verdictOf(POLICY, user, target("get core/secrets default/hidden")).omitManagedFields, true);
  const narrow = parseAuditPolicy(`${HEAD}rules: [{level: Metadata, verbs: [delete]}]`);
  assert.equal(verdictOf(narrow, user, target("get core/pods default/x")).level, "None");
});

const bad: readonly (readonly [string, string, RegExp])[] = [
  ["nothing", "", /expected an object of kind Policy/],
  ["no YAML", "a: [", /Cannot use the audit policy/],
  [
    "another kind",
    "apiVersion: v1\nkind: Pod\nrules: []",
    /apiVersion: expected audit\.k8s\.io\/v1, not "v1"; kind: expected Policy/,
  ],
  ["no rules", HEAD, /rules: a policy needs at least one rule/],
  [
    "a level that is none",
    `${HEAD}rules: [{level: All}]`,
    /rules\[0\]\.level: Unsupported value: "All": supported values: "Metadata", "None", "Request", "RequestResponse"/,
  ],
  [
    "a stage that is none",
    `${HEAD}omitStages: [Later]\nrules: [{level: None}]`,
    /omitStages\[0\]: Unsupported value: "Later"/,
  ],
  ["a field nobody knows", `${HEAD}rules: [{level: None, user: [a]}]`, /unknown field "rules\[0\]\.user"/],
  [
    "a group with its version",
    `${HEAD}rules: [{level: None, resources: [{group: apps/v1}]}]`,
    /without a version/,
  ],
  [
    "names without resources",
    `${HEAD}rules: [{level: None, resources: [{resourceNames: [a]}]}]`,
    /requires at least one resource/,
  ],
  [
    "a relative path",
    `${HEAD}rules: [{level: None, nonResourceURLs: [healthz]}]`,
    /must begin with a '\/' character/,
  ],
  [
    "a star in the middle",
    `${HEAD}rules: [{level: None, nonResourceURLs: ["/a*b"]}]`,
    /must be the final character/,
  ],
  [
    "paths and resources at once",
    `${HEAD}rules: [{level: None, nonResourceURLs: [/a], namespaces: [b]}]`,
    /cannot apply to both regular resources and non-resource URLs/,
  ],
  ["a word for a list", `${HEAD}rules: [{level: None, users: bob}]`, /rules\[0\]\.users: expected a list/],
];
for (const [name, text, message] of bad)
  test(`a policy with ${name} is refused by what is wrong with it`, () => {
    assert.throws(
      () => parseAuditPolicy(text),
      (error) => error instanceof Fault && message.test(error.message),
    );
  });
