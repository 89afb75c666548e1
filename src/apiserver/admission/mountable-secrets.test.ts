import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, PodSpec } from "#kube/generated/types";
import { unnamedSecret } from "./mountable-secrets.ts";

const ACCOUNT = {
  apiVersion: "v1" as const,
  kind: "ServiceAccount" as const,
  secrets: [{ name: "ok" }],
  imagePullSecrets: [{ name: "pull" }],
};
const TAIL = "is not allowed because service account a does not reference that";
const container = (one: Partial<Container>): Partial<PodSpec> => ({
  containers: [{ name: "c", image: "i", ...one }],
});

const CASES: readonly (readonly [Partial<PodSpec>, string | undefined])[] = [
  [{}, undefined],
  [{ volumes: [{ name: "v", secret: { secretName: "ok" } }] }, undefined],
  [
    { volumes: [{ name: "v", secret: { secretName: "no" } }] },
    `volume with secret.secretName="no" ${TAIL} secret`,
  ],
  [
    container({ env: [{ name: "E", valueFrom: { secretKeyRef: { name: "no", key: "k" } } }] }),
    `container c with envVar E referencing secret.secretName="no" ${TAIL} secret`,
  ],
  [
    container({ envFrom: [{ secretRef: { name: "no" } }] }),
    `container c with envFrom referencing secret.secretName="no" ${TAIL} secret`,
  ],
  [
    { initContainers: [{ name: "i", image: "i", envFrom: [{ secretRef: { name: "no" } }] }] },
    `init container i with envFrom referencing secret.secretName="no" ${TAIL} secret`,
  ],
  [
    { imagePullSecrets: [{ name: "pull" }, { name: "no" }] },
    `imagePullSecrets[1].name="no" ${TAIL} imagePullSecret`,
  ],
];

for (const [spec, expected] of CASES)
  test(`secrets that an account names: ${JSON.stringify(spec)}`, () => {
    const pod = {
      apiVersion: "v1" as const,
      kind: "Pod" as const,
      metadata: { name: "p" },
      spec: { containers: [], ...spec },
    };
    const accountOf = (isEnforced: string) => ({
      ...ACCOUNT,
      metadata: { name: "a", annotations: { "kubernetes.io/enforce-mountable-secrets": isEnforced } },
    });
    assert.equal(unnamedSecret(pod, accountOf("true")), expected);
    assert.equal(unnamedSecret(pod, accountOf("false")), undefined);
  });
