/** Manifests that are wrong, given to a server by the oldest and the newest kubectl: refused by the name of what is wrong. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { LAB_ROOTS } from "#lab/layout";
import { Lab, removeStaleLabs, run } from "./lab.ts";

const lab = new Lab("m");

before(() => {
  removeStaleLabs();
  const ran = lab.twill("up");
  assert.equal(ran.code, 0, `${ran.out}${ran.err}`);
});
after(() => {
  lab.down();
});

const meta = "metadata: {name: x}";
const template = "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}";
const manifests: readonly (readonly [what: string, manifest: string, says: RegExp])[] = [
  [
    "a field that does not exist",
    `apiVersion: v1\nkind: Service\n${meta}\nspec: {ports: [{port: 80, portz: 1}]}`,
    /portz/,
  ],
  [
    "a field at the wrong place",
    `apiVersion: apps/v1\nkind: Deployment\n${meta}\nreplicas: 3\nspec: {selector: {matchLabels: {a: b}}, ${template}}`,
    /replicas/,
  ],
  [
    "a number that is a word",
    `apiVersion: apps/v1\nkind: Deployment\n${meta}\nspec: {replicas: three, selector: {matchLabels: {a: b}}, ${template}}`,
    /replicas|three/,
  ],
  ["a list that is a map", `apiVersion: v1\nkind: Service\n${meta}\nspec: {ports: {port: 80}}`, /ports/],
  ["a text that is a number", `apiVersion: v1\nkind: ConfigMap\n${meta}\ndata: {a: 1}`, /data|string/],
  [
    "a value out of range",
    `apiVersion: v1\nkind: Service\n${meta}\nspec: {ports: [{port: 70000}]}`,
    /spec\.ports\[0\]\.port: Invalid value: 70000/,
  ],
  [
    "less than none",
    `apiVersion: apps/v1\nkind: Deployment\n${meta}\nspec: {replicas: -1, selector: {matchLabels: {a: b}}, ${template}}`,
    /spec\.replicas: Invalid value: -1/,
  ],
  [
    "labels nobody selects",
    `apiVersion: apps/v1\nkind: Deployment\n${meta}\nspec: {selector: {matchLabels: {a: c}}, ${template}}`,
    /`?selector`? does not match template `?labels`?/,
  ],
  ["nothing that is required", `apiVersion: apps/v1\nkind: Deployment\n${meta}\nspec: {}`, /selector/],
  [
    "a choice that is none",
    `apiVersion: v1\nkind: Service\n${meta}\nspec: {type: Magic, ports: [{port: 80}]}`,
    /spec\.type: Unsupported value: "Magic"/,
  ],
  [
    "a name that cannot be one",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: A_B}",
    /metadata\.name: Invalid value: "A_B"/,
  ],
  ["no name", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}", /name/],
  ["a kind nobody knows", `apiVersion: v1\nkind: Servise\n${meta}`, /Servise/],
  ["a version nobody serves", `apiVersion: apps/v9\nkind: Deployment\n${meta}`, /apps\/v9/],
  [
    "a namespace that is not there",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: nowhere}",
    /namespaces "nowhere" not found/,
  ],
  ["YAML that is none", "apiVersion: v1\nkind: [", /yaml|YAML/],
];
for (const [version, kubectl] of [
  ["1.32", "/usr/bin/kubectl"],
  ["1.20", "/tmp/k120/usr/bin/kubectl"],
] as const) {
  const skip = existsSync(kubectl) ? false : `${kubectl} is not there`;
  for (const [what, manifest, says] of manifests) {
    test(`kubectl ${version}: a manifest with ${what} is refused by name, and nothing is made`, {
      skip,
    }, () => {
      const env = { ...process.env, KUBECONFIG: join(LAB_ROOTS.state, lab.name, "kubeconfig.yaml") };
      const ran = run(kubectl, ["apply", "-f", "-"], { input: manifest, env });
      assert.notEqual(ran.code, 0, ran.out);
      assert.match(ran.err, says);
      const there = run(kubectl, ["get", "deployments,services,configmaps", "-o", "name"], { env }).out;
      assert.doesNotMatch(there, /\/x$/m);
    });
  }
}
