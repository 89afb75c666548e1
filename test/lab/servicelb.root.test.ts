/** Services of type LoadBalancer on three nodes of both families: their addresses, their pods, and who is told what, from outside. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { DaemonSet, Pod, Service } from "#kube/generated/types";
import { LAB_ROOTS } from "#lab/layout";
import { eventually, Lab, removeStaleLabs, run } from "./lab.ts";

const lab = new Lab("lb");
const FLAGS = ["--cluster-cidr=10.42.0.0/16,fd42::/56", "--service-cidr=10.43.0.0/16,fd43::/112"];
const NODE_IPS: Readonly<Record<string, readonly [string, string]>> = {
  server: ["172.30.0.11", "fd30::b"],
  "agent-1": ["172.30.0.12", "fd30::c"],
  "agent-2": ["172.30.0.13", "fd30::d"],
};
/** The lab's switch, which is no node and no pod. */
const STRANGER = ["172.30.0.1", "fd30::1"];
const EVERYWHERE = addressesOf("server", "agent-1", "agent-2");

/** One web pod, on agent-1, and nothing else that answers. */
const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      nodeSelector: { kubernetes.io/hostname: NODE }
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: registry.k8s.io/e2e-test-images/agnhost:2.53
        args: [netexec, --http-port=8080, --udp-port=8081]
        readinessProbe: { httpGet: { path: /healthz, port: 8080 } }
`;

const balancer = (name: string, more: string, ports = "[{ name: http, port: 80, targetPort: 8080 }]") => `
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec:
  type: LoadBalancer
  ipFamilyPolicy: PreferDualStack
  selector: { app: web }
  ports: ${ports}
  ${more}
`;

before(() => {
  removeStaleLabs();
  const up = lab.twill("up", "--nodes", "3", ...FLAGS);
  assert.equal(up.code, 0, `${up.out}${up.err}`);
  lab.apply(WEB.replace("NODE", lab.node("agent-1")));
});
after(() => {
  lab.down();
});

/** IPv4 first, as the Services' families are. */
function addressesOf(...roles: readonly string[]): readonly string[] {
  return [0, 1].flatMap((family) => roles.flatMap((role) => NODE_IPS[role]?.[family] ?? []));
}

const addresses = (name: string) =>
  lab.json<Service>("get", "service", name).status?.loadBalancer?.ingress?.map(({ ip }) => ip) ?? [];
const untilAt = (name: string, wanted: readonly string[]) =>
  eventually(`${name} has ${wanted.join(" ") || "no address"}`, () =>
    addresses(name).join() === wanted.join() ? true : undefined,
  );
const pods = (name: string) =>
  lab.json<{ items: readonly Pod[] }>(
    ...["-n", "kube-system", "get", "pods", "-l", `svccontroller.k3s.cattle.io/svcname=${name}`],
  ).items;
const daemonSets = () =>
  lab.json<{ items: readonly DaemonSet[] }>("-n", "kube-system", "get", "daemonsets").items;

/** What a client outside of the cluster is answered. */
function ask(ip: string, path: string, port = 80): string {
  const host = ip.includes(":") ? `[${ip}]` : ip;
  const net = `--net=${join(LAB_ROOTS.run, lab.name, "switch.net")}`;
  const curl = [
    "curl",
    "-gs",
    "-m",
    "3",
    "--retry",
    "5",
    "--retry-connrefused",
    `http://${host}:${port}${path}`,
  ];
  return run("nsenter", [net, ...curl]).out;
}

/** Who the pod says its client is, without the port. */
const clientAt = (ip: string) => ask(ip, "/clientip").replace(/^\[?(.*?)\]?:\d+$/, "$1");

test("a load balancer has the addresses of all nodes, in both families, and answers at each", async () => {
  lab.apply(balancer("web", ""));
  await untilAt("web", EVERYWHERE);
  for (const ip of EVERYWHERE) assert.match(ask(ip, "/hostname"), /^web-/, ip);
  assert.match(
    lab.kubectl("get", "service", "web"),
    /LoadBalancer +10\.43\.\S+ +172\.30\.0\.11,172\.30\.0\.12,/,
  );
  const { uid = "" } = lab.json<Service>("get", "service", "web").metadata;
  const name = new RegExp(`^svclb-web-${uid.slice(0, 8)}-[a-z0-9]{5}$`);
  for (const { metadata, spec } of pods("web")) {
    assert.match(metadata.name, name);
    assert.equal(spec?.priorityClassName, "system-node-critical");
  }
  assert.equal(new Set(pods("web").map(({ spec }) => spec?.nodeName)).size, 3);
});

test("the pod sees its client where the node has an endpoint, and that node where it has none", () => {
  for (const [family, stranger] of STRANGER.entries()) {
    assert.equal(clientAt(NODE_IPS["agent-1"]?.[family] ?? ""), stranger);
    for (const role of ["server", "agent-2"]) {
      const seen = clientAt(NODE_IPS[role]?.[family] ?? "");
      assert.notEqual(seen, stranger);
      assert.ok(
        !pods("web").some(({ status }) => status?.podIPs?.some(({ ip }) => ip === seen)),
        "nobody's pod",
      );
    }
  }
});

test("twill service explain tells what the pod sees, and why, at each node", () => {
  const told = lab.twill("service", "explain", "default/web");
  assert.equal(told.code, 0, told.err);
  const outside = told.out.slice(told.out.indexOf("CLIENTS OUTSIDE"), told.out.indexOf("\nPODS"));
  const cases = outside.replace(/\s+/g, " ");
  const near = new RegExp(`at ${lab.node("agent-1")}: the pod sees the client's own address`);
  const far = new RegExp(`at ${lab.node("server")}, ${lab.node("agent-2")}: the pod sees THE NODE`);
  for (const expected of [near, far]) assert.match(cases, expected);
  for (const [family, stranger] of STRANGER.entries()) {
    const at = (role: string) => NODE_IPS[role]?.[family]?.replaceAll(".", "\\.") ?? "";
    const rows = (role: string) =>
      new RegExp(`^ +\\S+${role} +${stranger} +\\[?${at(role)}\\]?:80/TCP .*$`, "m");
    assert.match(rows("agent-1").exec(told.out)?.[0] ?? "", new RegExp(` ${stranger}$`));
    assert.match(rows("server").exec(told.out)?.[0] ?? "", / masqueraded$/);
  }
  const one = lab.twill(
    "service",
    "explain",
    "web",
    "--from",
    "172.30.0.1",
    "--to",
    "172.30.0.13",
    "--port",
    "80",
  );
  assert.match(
    one.out.replace(/\s+/g, " "),
    /which sees an address of node \S+agent-2\. externalTrafficPolicy is Cluster/,
  );
});

test("who wants a port that another has stays pending and is told who has it; another port is free", async () => {
  lab.apply(balancer("late", ""));
  lab.apply(balancer("beside", "", "[{ name: http, port: 81, targetPort: 8080 }]"));
  await untilAt("beside", EVERYWHERE);
  assert.match(ask("172.30.0.13", "/hostname", 81), /^web-/);
  const held = /port 80\/TCP is held by Service default\/web/;
  await eventually("it is told", () => held.test(lab.kubectl("describe", "service", "late")) || undefined);
  assert.deepEqual(addresses("late"), []);
  assert.match(lab.kubectl("get", "service", "late"), /<pending>/);
  for (const name of ["late", "beside"]) lab.kubectl("delete", "service", name);
});

test("with policy Local only nodes with an endpoint are listed, and the pod sees its client; the others lead there by their pod", async () => {
  lab.kubectl("patch", "service", "web", "-p", '{"spec":{"externalTrafficPolicy":"Local"}}');
  await untilAt("web", addressesOf("agent-1"));
  for (const [family, ip] of addressesOf("agent-1").entries()) assert.equal(clientAt(ip), STRANGER[family]);
  // Not in the status, and so not the service's at that node: the way is that of the host port and the pod.
  await eventually(
    "the pods have come again",
    () =>
      pods("web").every(({ spec }) => spec?.containers[0]?.env?.some(({ valueFrom }) => valueFrom)) ||
      undefined,
  );
  for (const role of ["server", "agent-2"])
    for (const ip of NODE_IPS[role] ?? [])
      await eventually(
        `the way by the pod of ${role} to ${ip}`,
        () => /^web-/.test(ask(ip, "/hostname")) || undefined,
      );
  lab.kubectl("patch", "service", "web", "-p", '{"spec":{"externalTrafficPolicy":"Cluster"}}');
  await untilAt("web", EVERYWHERE);
});

test("once a node is labelled only such nodes are used, and of those only the service's pool", async () => {
  const label = (role: string, text: string) => lab.kubectl("label", "node", lab.node(role), text);
  label("agent-2", "svccontroller.k3s.cattle.io/enablelb=true");
  await untilAt("web", addressesOf("agent-2"));
  label("server", "svccontroller.k3s.cattle.io/enablelb=true");
  label("server", "svccontroller.k3s.cattle.io/lbpool=front");
  await untilAt("web", addressesOf("server", "agent-2"));
  lab.kubectl("label", "service", "web", "svccontroller.k3s.cattle.io/lbpool=front");
  await untilAt("web", addressesOf("server"));
  for (const role of ["server", "agent-2"]) label(role, "svccontroller.k3s.cattle.io/enablelb-");
  label("server", "svccontroller.k3s.cattle.io/lbpool-");
  await untilAt("web", EVERYWHERE);
});

test("behind a 1:1 translation packets come to a node's own address: the service's where the node is listed, else its pod's way", async () => {
  const node = lab.node("agent-1");
  lab.kubectl("annotate", "node", node, "k3s.io/external-ip=203.0.113.12");
  // As K3s has it, external addresses are listed as soon as a node has one, and only those: IPv6 is without any then.
  await untilAt("web", ["203.0.113.12"]);
  assert.equal(clientAt("172.30.0.12"), STRANGER[0], "what a cloud made of 203.0.113.12");
  const [own] = NODE_IPS["agent-2"] ?? [];
  const seen = clientAt(own ?? "");
  assert.ok(
    pods("web").some(({ status }) => status?.podIP === seen),
    `${seen} is the pod that led there`,
  );
  lab.kubectl("annotate", "node", node, "k3s.io/external-ip-");
  await untilAt("web", EVERYWHERE);
});

test("with the type goes all of it, and with the service", async () => {
  lab.kubectl("patch", "service", "web", "-p", '{"spec":{"type":"ClusterIP"}}');
  await untilAt("web", []);
  await eventually("its pods are gone", () => daemonSets().length === 0 && pods("web").length === 0);
  assert.equal(lab.json<Service>("get", "service", "web").metadata.finalizers, undefined);
  lab.kubectl("patch", "service", "web", "-p", '{"spec":{"type":"LoadBalancer"}}');
  await untilAt("web", EVERYWHERE);
  lab.kubectl("delete", "service", "web");
  await eventually("nothing is left", () => daemonSets().length === 0 && pods("web").length === 0);
});

test("a server that is told to leave ServiceLB out takes its pods down", async () => {
  lab.apply(balancer("web", ""));
  await untilAt("web", EVERYWHERE);
  const again = lab.twill("up", ...FLAGS, "--disable=servicelb");
  assert.equal(again.code, 0, `${again.out}${again.err}`);
  await eventually("nothing is left", () => daemonSets().length === 0 && pods("web").length === 0);
});
