/** One cluster of three nodes, by the README's own commands, and everything a first user would try on it. */
import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { request } from "undici";
import type { Node, Pod, Service } from "#kube/generated/types";
import { LAB_ROOTS } from "#lab/layout";
import { type LabRecord, readRecord } from "#lab/record";
import { eventually, hostState, Lab, removeStaleLabs } from "./lab.ts";

const lab = new Lab();
const hostBefore = hostState();
let record: LabRecord;
let output = "";

before(() => {
  removeStaleLabs();
  const ran = lab.twill("up", "--nodes", "3", "--demo");
  assert.equal(ran.code, 0, `${ran.out}${ran.err}`);
  output = ran.out;
  const written = readRecord(join(LAB_ROOTS.state, lab.name));
  assert.ok(written);
  record = written;
});
after(() => {
  lab.down();
});

interface Tally {
  readonly counts: readonly (readonly [string, number])[];
}

async function tally(): Promise<ReadonlyMap<string, number>> {
  const reply = await request(`http://127.0.0.1:${record.pagePort}/tally`, { reset: true });
  return new Map(((await reply.body.json()) as Tally).counts);
}

const failuresIn = (counts: ReadonlyMap<string, number>) =>
  [...counts].filter(([name]) => name.startsWith("(")).reduce((sum, [, n]) => sum + n, 0);
const answersIn = (counts: ReadonlyMap<string, number>) =>
  [...counts.values()].reduce((sum, n) => sum + n, 0);

interface Identity {
  readonly name: string;
  readonly uid: string | undefined;
  readonly ip: string | undefined;
  readonly container: string | undefined;
  readonly restarts: number | undefined;
}

function identities(...args: readonly string[]): readonly Identity[] {
  return lab.json<{ items: readonly Pod[] }>("get", "pods", ...args).items.map((pod) => ({
    name: pod.metadata.name,
    uid: pod.metadata.uid,
    ip: pod.status?.podIP,
    container: pod.status?.containerStatuses?.[0]?.containerID,
    restarts: pod.status?.containerStatuses?.[0]?.restartCount,
  }));
}

test("up tells each step with its time, then nodes, pods, who answered and what to type next", () => {
  assert.match(output, /^\s+\d+\.\ds {2}the API answers on https:\/\/127\.0\.0\.1:\d+$/m);
  assert.match(output, /^\s+\d+\.\ds {2}demo: every web pod has answered the client$/m);
  for (const name of ["server", "agent-1", "agent-2"])
    assert.match(output, new RegExp(`^${lab.node(name)} +Ready +172\\.30\\.0\\.`, "m"));
  assert.equal(output.match(/^ {2}web-\S+ {2}(once|\d+ times)$/gm)?.length, 3);
  assert.match(output, new RegExp(`\\./twill down --name ${lab.name}`));
});

test("the kubeconfig is private and works for the host's own kubectl", () => {
  assert.equal(statSync(record.kubeconfig).mode & 0o777, 0o600);
  assert.match(
    lab.kubectl("get", "nodes", "-o", "wide"),
    new RegExp(`${lab.node("agent-2")} +Ready .*172\\.30\\.0\\.13`),
  );
  assert.match(lab.kubectl("version"), /Server Version/);
});

test("the web pods are spread over all nodes, and each node has its own pod network", () => {
  const pods = lab.json<{ items: readonly Pod[] }>("get", "pods", "-l", "app=web").items;
  assert.equal(new Set(pods.map((pod) => pod.spec?.nodeName)).size, 3);
  const nodes = lab.json<{ items: readonly Node[] }>("get", "nodes").items;
  assert.equal(new Set(nodes.map((node) => node.spec?.podCIDR)).size, 3);
});

test("CoreDNS runs as the pod K3s runs, and answers for services, pods, nodes and the reverse", async () => {
  assert.match(
    lab.kubectl("-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns"),
    /coredns-\S+ +1\/1 +Running/,
  );
  const dig = (...args: readonly string[]) =>
    lab.inNode("agent-1", "dig", "+short", "+time=3", "+tries=2", "@10.43.0.10", ...args).out.trim();
  const service = lab.json<Service>("get", "service", "web");
  assert.equal(dig("web.default.svc.cluster.local"), service.spec?.clusterIP);
  assert.equal(dig("+tcp", "kubernetes.default.svc.cluster.local"), "10.43.0.1");
  assert.equal(dig("-x", "10.43.0.10"), "kube-dns.kube-system.svc.cluster.local.");
  assert.equal(dig("10-42-0-9.default.pod.cluster.local"), "10.42.0.9");
  // The names of nodes come by way of a config map, which pods see a little later.
  await eventually("node names resolve", () => dig(lab.node("agent-2")) === "172.30.0.13" || undefined);
});

test("the service answers on its cluster address and node port, from every node, by TCP and UDP", () => {
  lab.apply(`
apiVersion: v1
kind: Service
metadata: {name: echo}
spec:
  type: NodePort
  selector: {app: web}
  ports:
    - {name: http, port: 80, targetPort: 8080, nodePort: 30090}
    - {name: udp, port: 81, targetPort: 8081, protocol: UDP, nodePort: 30091}
`);
  const { spec } = lab.json<Service>("get", "service", "echo");
  for (const role of ["server", "agent-1", "agent-2"]) {
    const curl = (url: string) =>
      lab.inNode(role, "curl", "-s", "-m", "3", "--retry", "3", "--retry-connrefused", url).out;
    assert.match(curl(`http://${spec?.clusterIP}/hostname`), /^web-/, role);
    assert.match(curl("http://172.30.0.12:30090/hostname"), /^web-/, role);
    const dial = (host: string, port: number) =>
      curl(`http://${spec?.clusterIP}/dial?host=${host}&port=${port}&protocol=udp&request=hostname&tries=3`);
    assert.match(dial(spec?.clusterIP ?? "", 81), /"responses":\["web-/, role);
    assert.match(dial("172.30.0.13", 30091), /"responses":\["web-/, role);
  }
  lab.kubectl("delete", "service", "echo");
});

test("a connection to a service without endpoints is refused at once", async () => {
  lab.apply(
    "apiVersion: v1\nkind: Service\nmetadata: {name: nobody}\nspec: {selector: {app: nobody}, ports: [{port: 80}]}\n",
  );
  const { spec } = lab.json<Service>("get", "service", "nobody");
  await eventually(
    "refused",
    () =>
      lab.inNode("agent-1", "curl", "-s", "-m", "3", `http://${spec?.clusterIP}/`).code === 7 || undefined,
  );
  lab.kubectl("delete", "service", "nobody");
});

test("rollouts go through, can be watched, undone and waited for", () => {
  lab.kubectl("set", "env", "deploy/web", "COLOUR=blue");
  assert.match(lab.kubectl("rollout", "status", "deploy/web", "--timeout=60s"), /successfully rolled out/);
  assert.match(lab.kubectl("rollout", "history", "deploy/web"), /^2 /m);
  lab.kubectl("rollout", "undo", "deploy/web");
  lab.kubectl("rollout", "status", "deploy/web", "--timeout=60s");
  lab.kubectl("wait", "--for=condition=Available", "deploy/web", "--timeout=30s");
  assert.match(lab.kubectl("describe", "deploy", "web"), /NewReplicaSet: +web-/);
});

test("logs are those of the pod, and follow their options", () => {
  const line = lab.kubectl("logs", "deploy/client", "--tail=1", "--timestamps");
  assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z \d+ \S+ \d+ ms \| /);
  const dns = ["-n", "kube-system", "logs", "deploy/coredns"];
  const whole = lab
    .kubectl(...dns)
    .trimEnd()
    .split("\n");
  assert.deepEqual(
    lab
      .kubectl(...dns, "--tail=2")
      .trimEnd()
      .split("\n"),
    whole.slice(-2),
  );
  assert.equal(lab.kubectl(...dns, "--limit-bytes=10").length, 10);
  assert.match(lab.tryKubectl(["logs", "deploy/client", "-c", "nobody"]).err, /nobody/);
});

test("a daemon set has a pod on each node, and going away takes them along", async () => {
  lab.apply(`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: each}
spec:
  selector: {matchLabels: {app: each}}
  template:
    metadata: {labels: {app: each}}
    spec:
      containers: [{name: pause, image: "registry.k8s.io/pause:3.10"}]
`);
  lab.kubectl("rollout", "status", "ds/each", "--timeout=60s");
  assert.equal(identities("-l", "app=each").length, 3);
  lab.kubectl("delete", "ds", "each");
  await eventually("its pods are gone", () => identities("-l", "app=each").length === 0 || undefined);
});

test("a namespace goes with everything in it", () => {
  lab.apply(
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: scratch}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: scratch}\ndata: {k: v}\n",
  );
  lab.kubectl("-n", "scratch", "create", "deployment", "d", "--image=registry.k8s.io/pause:3.10");
  lab.kubectl("-n", "scratch", "rollout", "status", "deploy/d", "--timeout=60s");
  lab.kubectl("delete", "namespace", "scratch", "--timeout=60s");
  assert.match(lab.tryKubectl(["get", "namespace", "scratch"]).err, /not found/);
});

test("an image that nothing here can run says what would", async () => {
  lab.kubectl("create", "deployment", "stranger", "--image=nginx:1.27");
  const message = await eventually("ErrImagePull", () => {
    const text = lab.kubectl("describe", "pod", "-l", "app=stranger");
    return /ErrImagePull|ImagePullBackOff/.test(text) ? text : undefined;
  });
  assert.match(message, /nginx:1\.27.*not one of those Twill carries.*containerd/);
  lab.kubectl("delete", "deployment", "stranger");
});

for (const [what, manifest, says] of [
  [
    "a field that does not exist",
    "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 80, portz: 1}]}",
    /spec\.ports\[0\](\.|\): unknown field ")portz/,
  ],
  [
    "a value of the wrong type",
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: three, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}",
    /replicas/,
  ],
  [
    "a value out of range",
    "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 70000}]}",
    /spec\.ports\[0\]\.port: Invalid value: 70000/,
  ],
  ["a kind nobody knows", "apiVersion: v1\nkind: Servise\nmetadata: {name: x}", /Servise/],
] as const) {
  test(`a manifest with ${what} is refused by its name`, () => {
    const ran = lab.tryKubectl(["apply", "-f", "-"], manifest);
    assert.notEqual(ran.code, 0);
    assert.match(ran.err, says);
  });
}

test("a second up of the same name says what to do, and changes nothing", () => {
  const ran = lab.twill("up", "--nodes", "3");
  assert.equal(ran.code, 1);
  assert.match(ran.err, new RegExp(`it is up already.*twill down --name ${lab.name}`));
});

test("an agent killed under traffic: pods keep talking; started again it takes over what stands and catches up", async () => {
  const before = identities();
  const start = await tally();
  lab.killNode("agent-1");
  await eventually(
    "twenty more answers without it",
    async () => answersIn(await tally()) - answersIn(start) > 20 || undefined,
  );
  const scaled = lab.kubectl("scale", "deploy/web", "--replicas=5");
  assert.match(scaled, /scaled/);
  const up = lab.twill("up");
  assert.equal(up.code, 0, up.err);
  lab.kubectl("rollout", "status", "deploy/web", "--timeout=60s");
  const after = new Map(identities().map((pod) => [pod.name, pod]));
  for (const pod of before) assert.deepEqual(after.get(pod.name), pod);
  assert.equal(failuresIn(await tally()), failuresIn(start), "no question went unanswered");
  lab.kubectl("scale", "deploy/web", "--replicas=3");
  lab.kubectl("rollout", "status", "deploy/web", "--timeout=60s");
});

test("a server killed under traffic: names and services go on; started again it knows everything", async () => {
  const before = identities("-A");
  const revision = lab.json<{ metadata: { resourceVersion: string } }>("get", "nodes").metadata
    .resourceVersion;
  lab.killNode("server");
  for (let i = 0; i < 5; i++) {
    assert.match(
      lab.inNode("agent-2", "dig", "+short", "+time=3", "@10.43.0.10", "web.default.svc.cluster.local").out,
      /^10\.43\./,
    );
  }
  const up = lab.twill("up");
  assert.equal(up.code, 0, up.err);
  assert.ok(
    Number(lab.json<{ metadata: { resourceVersion: string } }>("get", "nodes").metadata.resourceVersion) >=
      Number(revision),
  );
  assert.deepEqual(identities("-A"), before);
  lab.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=60s");
  const start = answersIn(await tally());
  await eventually("the page goes on", async () => answersIn(await tally()) > start || undefined);
});

test("a lab beside this one does not meet it, and down removes everything after any kill", () => {
  const other = new Lab("b");
  try {
    const up = other.twill("up", "--nodes", "2");
    assert.equal(up.code, 0, `${up.out}${up.err}`);
    assert.equal(other.json<{ items: readonly Node[] }>("get", "nodes").items.length, 2);
    other.killNode("agent-1");
    other.killNode("server");
  } finally {
    const down = other.down();
    assert.equal(down.code, 0, down.err);
  }
  assert.equal(existsSync(join(LAB_ROOTS.state, other.name)), false);
  assert.equal(lab.json<{ items: readonly Node[] }>("get", "nodes").items.length, 3);
});

test("down removes it all, twice is fine, and the host is as it was", () => {
  assert.equal(lab.down().code, 0);
  const again = lab.down();
  assert.equal(again.code, 0);
  assert.match(again.out, /There is no lab/);
  assert.deepEqual(hostState(), hostBefore);
});
