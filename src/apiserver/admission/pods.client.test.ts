import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, createNamespace, label } from "../testing/client.ts";
import { openRig, type Rig } from "../testing/rig.ts";
import { say } from "../testing/say.ts";

let rig: Rig;

before(async () => {
  rig = await openRig();
});

after(async () => await rig[Symbol.asyncDispose]());

let count = 0;

async function namespaceWith(labels: object = {}): Promise<string> {
  const name = `ns-${++count}`;
  await createNamespace(rig, name);
  await label(rig, "/api/v1/namespaces", name, labels);
  return `/api/v1/namespaces/${name}`;
}

const LEVEL = "pod-security.kubernetes.io";
const PLAIN = { containers: [{ name: "c", image: "i" }] };

test("a pod that asks for too much is refused, in PodSecurity's words", async () => {
  const path = await namespaceWith({ [`${LEVEL}/enforce`]: "restricted" });
  assert.equal(
    await say(rig, "POST", `${path}/pods`, { metadata: { name: "x" }, spec: PLAIN }),
    'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
});

test("a template is stored with a warning; a pod that only warns too", async () => {
  const path = await namespaceWith({
    [`${LEVEL}/enforce`]: "baseline",
    [`${LEVEL}/warn`]: "restricted",
    [`${LEVEL}/warn-version`]: "v1.24",
  });
  const warning =
    /^Warning: would violate PodSecurity "restricted:v1\.24": allowPrivilegeEscalation != false .*\ncreated$/;
  assert.match(await say(rig, "POST", `${path}/pods`, { metadata: { name: "x" }, spec: PLAIN }), warning);
  const deployment = {
    metadata: { name: "d" },
    spec: {
      selector: { matchLabels: { a: "b" } },
      template: { metadata: { labels: { a: "b" } }, spec: PLAIN },
    },
  };
  assert.match(await say(rig, "POST", `/apis/apps/v1${path.slice(7)}/deployments`, deployment), warning);
  const host = { ...PLAIN, hostNetwork: true };
  const { body } = await ask(rig, "POST", `${path}/pods`, {
    body: { metadata: { generateName: "y-" }, spec: host },
  });
  assert.match(
    body.message,
    /^pods "y-\w{5}" is forbidden: violates PodSecurity "baseline:latest": host namespaces \(hostNetwork=true\)$/,
  );
});

test("a stricter level names the pods that it would not let in", async () => {
  const path = await namespaceWith();
  for (const name of ["one", "two", "three"])
    await say(rig, "POST", `${path}/pods`, { metadata: { name }, spec: PLAIN });
  await say(rig, "POST", `${path}/pods`, { metadata: { name: "host" }, spec: { ...PLAIN, hostPID: true } });
  const name = path.split("/").at(-1);
  const { stderr } = await rig.kubectl(["label", "namespace", `${name}`, `${LEVEL}/enforce=restricted`]);
  const reasons =
    "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile";
  assert.equal(
    stderr,
    `Warning: existing pods in namespace "${name}" violate the new PodSecurity enforce level "restricted:latest"\n` +
      `Warning: host: host namespaces, ${reasons}\n` +
      `Warning: one (and 2 other pods): ${reasons}\n`,
  );
  const wrong = await rig.kubectl([
    "label",
    "--overwrite",
    "namespace",
    `${name}`,
    `${LEVEL}/enforce=strict`,
  ]);
  assert.match(
    wrong.stderr,
    new RegExp(
      `The Namespace "${name}" is invalid: metadata\\.labels\\[pod-security\\.kubernetes\\.io/enforce\\]: Invalid value: "strict": must be one of privileged, baseline, restricted`,
    ),
  );
});

const LIMITS = {
  metadata: { name: "limits" },
  spec: {
    limits: [
      {
        type: "Container",
        default: { cpu: "500m" },
        defaultRequest: { cpu: "100m" },
        min: { cpu: "50m" },
        max: { cpu: "1", memory: "1Gi" },
        maxLimitRequestRatio: { cpu: "8" },
      },
      { type: "Pod", max: { cpu: "1500m" } },
      { type: "PersistentVolumeClaim", min: { storage: "1Gi" }, max: { storage: "2Gi" } },
    ],
  },
};

test("a LimitRange fills in what it leaves out itself", async () => {
  const path = await namespaceWith();
  await say(rig, "POST", `${path}/limitranges`, LIMITS);
  const { body } = await ask(rig, "GET", `${path}/limitranges/limits`);
  const [container] = body.spec.limits;
  assert.deepEqual(container.default, { cpu: "500m", memory: "1Gi" });
  assert.deepEqual(container.defaultRequest, { cpu: "100m", memory: "1Gi" });
});

test("containers get their namespace's defaults", async () => {
  const path = await namespaceWith();
  await say(rig, "POST", `${path}/limitranges`, LIMITS);
  const spec = {
    containers: [
      { name: "a", image: "i" },
      { name: "b", image: "i", resources: { limits: { cpu: "200m" } } },
    ],
  };
  assert.equal(await say(rig, "POST", `${path}/pods`, { metadata: { name: "p" }, spec }), "created");
  const { body } = await ask(rig, "GET", `${path}/pods/p`);
  const [a, b] = body.spec.containers;
  assert.deepEqual(a.resources, {
    requests: { cpu: "100m", memory: "1Gi" },
    limits: { cpu: "500m", memory: "1Gi" },
  });
  assert.deepEqual(b.resources.requests.cpu, "200m");
  assert.equal(
    body.metadata.annotations["kubernetes.io/limit-ranger"],
    "LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for container a; memory request for container b; memory limit for container b",
  );
});

test("what lies outside the bounds is refused", async () => {
  const path = await namespaceWith();
  await say(rig, "POST", `${path}/limitranges`, LIMITS);
  const refused = async (cpu: { requests?: string; limits: string }, containers = 1) => {
    const resources = {
      requests: cpu.requests === undefined ? {} : { cpu: cpu.requests },
      limits: { cpu: cpu.limits },
    };
    const all = Array.from({ length: containers }, (_, i) => ({ name: `c${i}`, image: "i", resources }));
    return await say(rig, "POST", `${path}/pods`, { metadata: { name: "p" }, spec: { containers: all } });
  };
  const forbidden = 'pods "p" is forbidden: ';
  assert.equal(
    await refused({ limits: "2" }),
    `${forbidden}[maximum cpu usage per Container is 1, but limit is 2, maximum cpu usage per Pod is 1500m, but limit is 2]`,
  );
  assert.equal(
    await refused({ requests: "10m", limits: "60m" }),
    `${forbidden}minimum cpu usage per Container is 50m, but request is 10m`,
  );
  assert.equal(
    await refused({ requests: "100m", limits: "1" }),
    `${forbidden}cpu max limit to request ratio per Container is 8, but provided ratio is 10.000000`,
  );
  assert.equal(
    await refused({ limits: "1" }, 2),
    `${forbidden}maximum cpu usage per Pod is 1500m, but limit is 2`,
  );
  assert.equal(
    await refused({ requests: "10m", limits: "60m" }, 2),
    `${forbidden}minimum cpu usage per Container is 50m, but request is 10m`,
  );
  const claim = (storage: string) => ({
    metadata: { name: "c" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
  });
  assert.equal(
    await say(rig, "POST", `${path}/persistentvolumeclaims`, claim("3Gi")),
    'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
  );
  assert.match(
    await say(rig, "POST", `${path}/persistentvolumeclaims`, claim("10Mi")),
    /minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Mi/,
  );
});

test("of the priority classes one at most is the default", async () => {
  const path = "/apis/scheduling.k8s.io/v1/priorityclasses";
  const base = (name: string) => ({ metadata: { name }, value: 0, globalDefault: true });
  await say(rig, "POST", path, base("first-default"));
  assert.equal(
    await say(rig, "POST", path, base("second-default")),
    'priorityclasses.scheduling.k8s.io "second-default" is forbidden: PriorityClass first-default is already marked as default. Only one default can exist',
  );
  await say(rig, "DELETE", `${path}/first-default`);
});

test("a LimitRange that contradicts itself is refused", async () => {
  const path = await namespaceWith();
  const limits = [{ type: "Container", min: { cpu: "2" }, max: { cpu: "1" } }];
  assert.match(
    await say(rig, "POST", `${path}/limitranges`, { metadata: { name: "x" }, spec: { limits } }),
    /spec\.limits\[0\]\.min\[cpu\]: Invalid value: "2": min value 2 is greater than max value 1/,
  );
});
