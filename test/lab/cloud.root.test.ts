/** What a Node says of its machine: by the flags, through the cloud controller; without it; and by somebody else's. One server, started
 *  again with other flags. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Node, Pod } from "#kube/generated/types";
import { LAB_ROOTS } from "#lab/layout";
import { eventually, Lab, launcher, removeStaleLabs, run } from "./lab.ts";

const lab = new Lab("cl");
const NAME = lab.node("server");
const TAINT = "node.cloudprovider.kubernetes.io/uninitialized";
const FLAGS = [
  "--node-external-ip=198.51.100.7",
  "--node-internal-dns=a.lan",
  "--node-external-dns=a.example,b.example",
];

const node = () => lab.json<Node>("get", "node", NAME);
const addresses = () => node().status?.addresses?.map(({ type, address }) => `${type} ${address}`);
const annotation = (name: string) => node().metadata.annotations?.[name];
const isTainted = () => node().spec?.taints?.some(({ key }) => key === TAINT) ?? false;
const dnsPods = () =>
  lab.json<{ items: readonly Pod[] }>("-n", "kube-system", "get", "pods", "-l", "k8s-app=kube-dns");

function up(...flags: readonly string[]): void {
  const ran = lab.twill("up", ...flags);
  assert.equal(ran.code, 0, `${ran.out}${ran.err}`);
}

/** Waits until the Node's addresses are these, in this order. */
async function isAt(...wanted: readonly string[]): Promise<void> {
  await eventually(`the node is at ${wanted.join(", ")}; it is at ${addresses()?.join(", ")}`, () =>
    addresses()?.join() === wanted.join() ? true : undefined,
  );
}

before(() => {
  removeStaleLabs();
  up(...FLAGS);
});
after(() => {
  lab.down();
});

test("a node is what its flags say, in K3s's order, names and labels", async () => {
  await isAt(
    "InternalIP 172.30.0.11",
    "ExternalIP 198.51.100.7",
    "InternalDNS a.lan",
    "ExternalDNS a.example",
    "ExternalDNS b.example",
    `Hostname ${NAME}`,
  );
  const { metadata, spec } = node();
  assert.equal(spec?.providerID, `k3s://${NAME}`);
  assert.equal(isTainted(), false);
  for (const label of ["node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"])
    assert.equal(metadata.labels?.[label], "k3s");
  const { annotations = {} } = metadata;
  assert.equal(annotations["k3s.io/internal-ip"], "172.30.0.11");
  assert.equal(annotations["alpha.kubernetes.io/provided-node-ip"], "172.30.0.11");
  assert.match(annotations["k3s.io/node-args"] ?? "", /^\["server",.*"--node-external-ip","198\.51\.100\.7"/);
  assert.equal(annotations["k3s.io/node-env"], '{"K3S_TOKEN":"********"}');
  assert.match(annotations["k3s.io/node-config-hash"] ?? "", /^[A-Z2-7]{52}====$/);
});

test("the cloud controller is somebody of its own, with no more rights than it needs, and a lease", () => {
  const server = join(LAB_ROOTS.state, lab.name, "nodes", NAME, "var-lib/rancher/k3s/server");
  const config = join(server, "cred/cloud-controller.kubeconfig");
  const can = (...what: readonly string[]) =>
    lab.inNode("server", "kubectl", "--kubeconfig", config, "auth", "can-i", ...what).out.trim();
  const answers = [
    ["patch", "nodes", "--subresource=status"],
    ["delete", "daemonsets", "-n", "kube-system"],
    ["delete", "pods", "-A"],
    ["get", "secrets", "-A"],
    ["delete", "nodes"],
    ["patch", "services", "-A"],
    ["create", "tokenreviews.authentication.k8s.io"],
  ].map((what) => can(...what));
  assert.deepEqual(answers, ["yes", "yes", "no", "no", "no", "no", "no"]);
  assert.match(
    lab.kubectl("-n", "kube-system", "get", "lease", "k3s-cloud-controller-manager"),
    new RegExp(NAME),
  );
  assert.deepEqual(JSON.parse(run("cat", [join(server, "etc/cloud-config.yaml")]).out), {
    lbDefaultPriorityClassName: "system-node-critical",
    lbEnabled: true,
    lbImage: "rancher/klipper-lb:v0.4.17",
    lbNamespace: "kube-system",
    nodeEnabled: true,
    rootless: false,
  });
});

test("without the cloud controller a node says its own address; what it is stays, and so do its pods", async () => {
  const dns = dnsPods().items[0]?.metadata.uid;
  up("--disable-cloud-controller", ...FLAGS);
  await isAt("InternalIP 172.30.0.11", `Hostname ${NAME}`);
  const { annotations = {} } = node().metadata;
  const left = Object.keys(annotations).filter((key) =>
    /^k3s\.io\/(?:internal|external|hostname)|provided/.test(key),
  );
  assert.deepEqual(left, []);
  assert.equal(node().spec?.providerID, `k3s://${NAME}`);
  assert.equal(dnsPods().items[0]?.metadata.uid, dns);
});

test("another's cloud controller says what a node is, and nobody contradicts", async () => {
  const others = [
    "--disable-cloud-controller",
    "--disable=servicelb",
    "--kubelet-arg=cloud-provider=external",
  ];
  lab.kubectl("delete", "node", NAME);
  lab.killNode("server");
  // It waits for a node that pods can be scheduled to, as its user does.
  const waiting = spawn(launcher, ["up", "--name", lab.name, ...others], { stdio: "ignore" });
  const waited = once(waiting, "exit");
  await eventually("the node waits for somebody to say what it is", () => isTainted() || undefined);
  assert.deepEqual(addresses(), ["InternalIP 172.30.0.11", `Hostname ${NAME}`]);
  assert.equal(annotation("alpha.kubernetes.io/provided-node-ip"), "172.30.0.11");
  lab.kubectl("-n", "kube-system", "rollout", "restart", "deploy/coredns");
  await eventually("pods wait for the node", () => {
    const { items } = dnsPods();
    return (
      items.some(({ status }) =>
        status?.conditions?.some(({ message = "" }) => message.includes("untolerated taint")),
      ) || undefined
    );
  });
  const status = {
    status: {
      addresses: [
        { type: "InternalIP", address: "172.30.0.11" },
        { type: "ExternalIP", address: "203.0.113.5" },
        { type: "Hostname", address: "i-1.cloud" },
      ],
    },
  };
  lab.kubectl("patch", "node", NAME, "--subresource=status", "--type=merge", "-p", JSON.stringify(status));
  lab.kubectl("patch", "node", NAME, "-p", '{"spec":{"providerID":"cloud://zone/i-1"}}');
  lab.kubectl("label", "node", NAME, "node.kubernetes.io/instance-type=large");
  lab.kubectl("taint", "node", NAME, `${TAINT}-`);
  const [code] = await waited;
  assert.equal(code, 0);
  lab.killNode("server");
  up(...others);
  const theirs = ["InternalIP 172.30.0.11", "ExternalIP 203.0.113.5", "Hostname i-1.cloud"];
  assert.deepEqual(addresses(), theirs);
  const { metadata, spec } = node();
  assert.equal(spec?.providerID, "cloud://zone/i-1");
  assert.equal(metadata.labels?.["node.kubernetes.io/instance-type"], "large");
  assert.equal(isTainted(), false);
});

test("and back again: addresses are ours, the name that another gave the machine stays", async () => {
  up("--node-external-ip=198.51.100.7");
  await isAt("InternalIP 172.30.0.11", "ExternalIP 198.51.100.7", `Hostname ${NAME}`);
  assert.equal(node().spec?.providerID, "cloud://zone/i-1");
  assert.equal(node().metadata.labels?.["node.kubernetes.io/instance-type"], "large");
});
