import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { refuseReferences, staticPod } from "#node/static/manifest";
import { readStaticPod } from "./static-pods.ts";

const origin = { path: "/etc/pods/web.yaml", nodeName: "node-1", seenAt: "2026-01-02T03:04:05Z" };

async function read(text: string) {
  const pod = await readStaticPod(text, (plain) => staticPod(plain, origin));
  refuseReferences(pod);
  return pod;
}

const web = (spec = "", metadata = "") => `
apiVersion: v1
kind: Pod
metadata: { name: web${metadata} }
spec:
  containers: [{ name: main, image: busybox, livenessProbe: { tcpSocket: { port: 80 } } }]
${spec}`;

test("a file's pod is filled in, named after its node, and its uid says what is in it", async () => {
  const { metadata, spec } = await read(web());
  assert.deepEqual([metadata.name, metadata.namespace, spec?.nodeName], ["web-node-1", "default", "node-1"]);
  assert.match(metadata.uid ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual(metadata.annotations, {
    "kubernetes.io/config.hash": metadata.uid,
    "kubernetes.io/config.seen": origin.seenAt,
    "kubernetes.io/config.source": "file",
  });
  assert.deepEqual(spec?.tolerations, [{ operator: "Exists", effect: "NoExecute" }]);
  assert.deepEqual(
    [
      spec?.restartPolicy,
      spec?.containers[0]?.imagePullPolicy,
      spec?.containers[0]?.livenessProbe?.periodSeconds,
    ],
    ["Always", "Always", 10],
  );
  assert.equal((await read(web())).metadata.uid, metadata.uid);
  assert.notEqual((await read(web("  hostNetwork: true"))).metadata.uid, metadata.uid);
});

describe("a file is refused", () => {
  const cases: readonly [why: string, text: string, problem: RegExp][] = [
    ["that is no YAML", "{", /./],
    ["that is no pod", "apiVersion: v1\nkind: Node\nmetadata: { name: x }", /not a Pod/],
    ["that is empty", "", /not a Pod/],
    ["without a name", web().replace("name: web", "generateName: web-"), /name is needed/],
    ["whose fields are of another type", web("  hostNetwork: [1]"), /hostNetwork|json/],
    ["that could not be created", web("  dnsPolicy: Never"), /spec\.dnsPolicy: Unsupported value/],
    ["whose uid is a path", web("", ", uid: ../../x"), /is not a uid/],
    ["with a service account", web("  serviceAccountName: default"), /may not reference serviceaccounts/],
    [
      "with a secret",
      web("  volumes: [{ name: v, secret: { secretName: s } }]"),
      /may not reference secrets/,
    ],
    [
      "with a claim",
      web("  volumes: [{ name: v, persistentVolumeClaim: { claimName: s } }]"),
      /may not reference persistentvolumeclaims/,
    ],
  ];
  for (const [why, text, problem] of cases)
    test(why, async () => {
      await assert.rejects(read(text), problem);
    });
});
