import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openRig, type Rig } from "#apiserver/testing/rig";
import { type Harness, openHarness } from "#controllers/harness";
import type { KubeClient } from "#kube/client";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "#kube/generated/types";
import { openClient } from "#kube/http-client";
import { EVENTS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES } from "#kube/resources";

let rig: Rig;
let client: KubeClient & AsyncDisposable;
let harness: Harness;
const namespace = "default";

before(async () => {
  rig = await openRig();
  client = openClient({ server: rig.url, ca: rig.ca, ...rig.admin, userAgent: "volumes" });
  harness = await openHarness({ client });
  await harness.addNode("node-1");
  await client.create(STORAGE_CLASSES, {
    metadata: { name: "local-path" },
    provisioner: "rancher.io/local-path",
    volumeBindingMode: "WaitForFirstConsumer",
    reclaimPolicy: "Delete",
  });
});
after(async () => {
  await harness[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

function claim(
  name: string,
  storage: string,
  more: Partial<PersistentVolumeClaim["spec"]> = {},
): PersistentVolumeClaim {
  const spec = {
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage } },
    storageClassName: "",
    ...more,
  };
  return { metadata: { name, namespace }, spec };
}

function volume(
  name: string,
  storage: string,
  more: Partial<PersistentVolume["spec"]> = {},
): PersistentVolume {
  const spec = {
    capacity: { storage },
    accessModes: ["ReadWriteOnce"],
    hostPath: { path: `/tmp/${name}` },
    ...more,
  };
  return { metadata: { name }, spec };
}

async function claimIs(name: string, phase: string): Promise<PersistentVolumeClaim> {
  return harness.until(`claim ${name} is ${phase}`, async () => {
    const found = await client.get(PERSISTENT_VOLUME_CLAIMS, { namespace, name });
    return found.status?.phase === phase && found;
  });
}

async function volumeIs(name: string, phase: string): Promise<PersistentVolume> {
  return harness.until(`volume ${name} is ${phase}`, async () => {
    const found = await client.get(PERSISTENT_VOLUMES, { name });
    return found.status?.phase === phase && found;
  });
}

async function told(name: string, reason: string): Promise<string> {
  return harness.until(`${name} is told ${reason}`, async () => {
    const { items } = await client.list(EVENTS, { namespace });
    return items.find((event) => event.involvedObject.name === name && event.reason === reason)?.message;
  });
}

function user(name: string, claimName: string): Pod {
  return {
    metadata: { name, namespace },
    spec: {
      containers: [{ name: "c", image: "i" }],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName } }],
    },
  };
}

test("a claim gets the smallest volume that is enough, and each volume goes to one claim", async () => {
  for (const [name, size] of [
    ["big", "10Gi"],
    ["small", "2Gi"],
    ["tiny", "1Gi"],
  ] as const)
    await client.create(PERSISTENT_VOLUMES, volume(name, size));
  await volumeIs("tiny", "Available");
  await Promise.all(
    ["a", "b", "c"].map((name) => client.create(PERSISTENT_VOLUME_CLAIMS, claim(name, "2Gi"))),
  );
  const bound = await harness.until("two of three are bound", async () => {
    const { items } = await client.list(PERSISTENT_VOLUME_CLAIMS, { namespace });
    const found = items.filter(({ status }) => status?.phase === "Bound");
    return found.length === 2 && found;
  });
  assert.deepEqual(bound.map(({ spec }) => spec?.volumeName).sort(), ["big", "small"]);
  for (const { metadata, spec, status } of bound) {
    const { "pv.kubernetes.io/bind-completed": done } = metadata.annotations ?? {};
    assert.equal(done, "yes");
    const holder = await volumeIs(spec?.volumeName ?? "", "Bound");
    assert.equal(holder.spec?.claimRef?.uid, metadata.uid);
    assert.deepEqual(status?.capacity, holder.spec?.capacity);
  }
  const left = (await client.list(PERSISTENT_VOLUME_CLAIMS, { namespace })).items.find(
    ({ status }) => status?.phase !== "Bound",
  );
  assert.match(
    await told(left?.metadata.name ?? "", "FailedBinding"),
    /no persistent volumes available for this claim and no storage class is set/,
  );
  await client.create(PERSISTENT_VOLUMES, volume("late", "2Gi"));
  await claimIs(left?.metadata.name ?? "", "Bound");
});

test("a volume kept for a claim waits for it, and is released, not handed on, when that goes", async () => {
  const claimRef = { namespace, name: "kept" };
  await client.create(PERSISTENT_VOLUMES, volume("for-kept", "1Gi", { claimRef, storageClassName: "x" }));
  await volumeIs("for-kept", "Available");
  await client.create(PERSISTENT_VOLUME_CLAIMS, claim("kept", "1Gi", { storageClassName: "x" }));
  const { spec } = await claimIs("kept", "Bound");
  assert.equal(spec?.volumeName, "for-kept");
  await client.delete(PERSISTENT_VOLUME_CLAIMS, { namespace, name: "kept" });
  await volumeIs("for-kept", "Released");
  await client.create(PERSISTENT_VOLUME_CLAIMS, claim("kept", "1Gi", { storageClassName: "x" }));
  await claimIs("kept", "Pending");
  await volumeIs("for-kept", "Released");
});

test("a claim of a provisioner's waits for its pod, is provided for on the pod's node, and is bound", async () => {
  await client.create(PERSISTENT_VOLUME_CLAIMS, claim("data", "1Gi", { storageClassName: "local-path" }));
  assert.equal(
    await told("data", "WaitForFirstConsumer"),
    "waiting for first consumer to be created before binding",
  );
  // the scheduler writes the node it chose
  await client.patch(
    PERSISTENT_VOLUME_CLAIMS,
    { namespace, name: "data" },
    { metadata: { annotations: { "volume.kubernetes.io/selected-node": "node-1" } } },
    { type: "merge" },
  );
  const asked = await harness.until("the provisioner is asked", async () => {
    const found = await client.get(PERSISTENT_VOLUME_CLAIMS, { namespace, name: "data" });
    return (
      found.metadata.annotations?.["volume.kubernetes.io/storage-provisioner"] === "rancher.io/local-path" &&
      found
    );
  });
  const { uid = "" } = asked.metadata;
  await client.create(PERSISTENT_VOLUMES, {
    ...volume(`pvc-${uid}`, "1Gi", {
      claimRef: { kind: "PersistentVolumeClaim", apiVersion: "v1", namespace, name: "data", uid },
      storageClassName: "local-path",
      persistentVolumeReclaimPolicy: "Delete",
    }),
    metadata: {
      name: `pvc-${uid}`,
      annotations: { "pv.kubernetes.io/provisioned-by": "rancher.io/local-path" },
    },
  });
  await claimIs("data", "Bound");
  await client.delete(PERSISTENT_VOLUME_CLAIMS, { namespace, name: "data" });
  await volumeIs(`pvc-${uid}`, "Released");
});

test("a claim in use stays until its pod is gone, a bound volume until its claim is", async () => {
  await client.create(PERSISTENT_VOLUMES, volume("used", "1Gi", { storageClassName: "u" }));
  await client.create(PERSISTENT_VOLUME_CLAIMS, claim("used", "1Gi", { storageClassName: "u" }));
  await claimIs("used", "Bound");
  await harness.until("both are protected", async () => {
    const found = await client.get(PERSISTENT_VOLUME_CLAIMS, { namespace, name: "used" });
    const holder = await client.get(PERSISTENT_VOLUMES, { name: "used" });
    return (
      found.metadata.finalizers?.includes("kubernetes.io/pvc-protection") &&
      holder.metadata.finalizers?.includes("kubernetes.io/pv-protection")
    );
  });
  const pod = await client.create(PODS, {
    ...user("user", "used"),
    spec: { ...user("user", "used").spec, nodeName: "node-1", containers: [{ name: "c", image: "i" }] },
  });
  await client.delete(PERSISTENT_VOLUME_CLAIMS, { namespace, name: "used" });
  await client.delete(PERSISTENT_VOLUMES, { name: "used" });
  const { metadata } = await client.get(PERSISTENT_VOLUME_CLAIMS, { namespace, name: "used" });
  assert.ok(metadata.deletionTimestamp);
  await client.delete(PODS, pod.metadata);
  await harness.until("both are gone", async () => {
    const claims = (await client.list(PERSISTENT_VOLUME_CLAIMS, { namespace })).items;
    const volumes = (await client.list(PERSISTENT_VOLUMES)).items;
    return ![...claims, ...volumes].some((object) => object.metadata.name === "used");
  });
});

test("a pod's own volume has a claim that is the pod's, and goes with it", async () => {
  const spec = {
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: "1Gi" } },
    storageClassName: "e",
  };
  await client.create(PERSISTENT_VOLUMES, volume("scratch", "1Gi", { storageClassName: "e" }));
  const pod = await client.create(PODS, {
    metadata: { name: "own", namespace },
    spec: {
      nodeName: "node-1",
      containers: [{ name: "c", image: "i" }],
      volumes: [
        {
          name: "tmp",
          ephemeral: { volumeClaimTemplate: { metadata: { name: "", labels: { a: "b" } }, spec } },
        },
      ],
    },
  });
  await harness.until("its claim is there", async () => {
    const { items } = await client.list(PERSISTENT_VOLUME_CLAIMS, { namespace, labelSelector: "a=b" });
    return (
      items[0]?.metadata.name === "own-tmp" &&
      items[0].metadata.ownerReferences?.[0]?.uid === pod.metadata.uid
    );
  });
  await claimIs("own-tmp", "Bound");
  await client.delete(PODS, pod.metadata);
  await harness.until("the claim went with it", async () => {
    const { items } = await client.list(PERSISTENT_VOLUME_CLAIMS, { namespace, labelSelector: "a=b" });
    return items.length === 0;
  });
});
