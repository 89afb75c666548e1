import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterRole, ClusterRoleBinding } from "#kube/generated/types";
import type { JsonObject } from "./json.ts";
import { bootstrapRoles } from "./kinds/bootstrap/roles.ts";
import { completed } from "./role-reconcile.ts";

const rule = (resources: string[], verbs: string[]) => ({ apiGroups: [""], resources, verbs });
const role = (...rules: ClusterRole["rules"] & object): ClusterRole => ({
  metadata: { name: "r", labels: { a: "b" }, annotations: {} },
  rules,
});
const draft = (value: object) => structuredClone(value) as JsonObject;

test("a role gets back what it lost, and keeps what it was given", () => {
  const wanted = role(rule(["pods"], ["get", "list"]), rule(["nodes"], ["get"]));
  const standing = {
    ...role(rule(["pods", "secrets"], ["get"])),
    metadata: { name: "r", labels: { mine: "x" } },
  };
  const out = completed(draft(standing), wanted);
  assert.deepEqual(out["rules"], [
    rule(["pods", "secrets"], ["get"]),
    rule(["pods"], ["get", "list"]),
    rule(["nodes"], ["get"]),
  ]);
  assert.deepEqual(out["metadata"], { name: "r", labels: { a: "b", mine: "x" }, annotations: {} });
  assert.deepEqual(completed(out, wanted), out);
});

test("a binding gets its subjects back, and keeps others", () => {
  const subject = (name: string) => ({ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name });
  const binding = (...names: string[]): ClusterRoleBinding => ({
    metadata: { name: "b" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "r" },
    subjects: names.map(subject),
  });
  const out = completed(draft(binding("mine")), binding("system:authenticated"));
  assert.deepEqual(out["subjects"], [subject("mine"), subject("system:authenticated")]);
});

test("every default role is bound as it should be, once", () => {
  const objects = bootstrapRoles();
  const keys = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`);
  assert.equal(new Set(keys).size, keys.length);
  const names = new Set(keys);
  for (const object of objects) {
    assert.equal(object.metadata.labels?.["kubernetes.io/bootstrapping"], "rbac-defaults");
    if (!("roleRef" in object)) continue;
    const { kind, name } = object.roleRef;
    const home = kind === "Role" ? (object.metadata.namespace ?? "") : "";
    assert.ok(names.has(`${kind} ${home}/${name}`), `${object.metadata.name} binds ${kind} ${name}`);
  }
  assert.equal(keys.filter((key) => key.startsWith("ClusterRole /system:controller:")).length, 38);
});
