/** A cluster that brings its own network: one node with Debian's plugins, one with a chain as Canal has it, and a route between
 *  them in place of a fabric. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Event, Node, Pod } from "#kube/generated/types";
import { LAB_ROOTS } from "#lab/layout";
import { eventually, Lab, removeStaleLabs, run } from "./lab.ts";

const IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.47";
const NOT_READY =
  "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized: no network config found in /etc/cni/net.d";
const SERVER_IP = "172.30.0.11";
const AGENT_IP = "172.30.0.12";
const SUBNETS = { server: "10.42.0.0/24", "agent-1": "10.42.1.0/24" } as const;
const skip = existsSync("/usr/lib/cni/bridge") ? false : "containernetworking-plugins are not installed";

const ipam = (subnet: string, more: object = {}) => ({ type: "host-local", ranges: [[{ subnet }]], ...more });
const DEBIAN = {
  cniVersion: "1.0.0",
  name: "debian",
  plugins: [
    {
      type: "bridge",
      bridge: "br-pods",
      isDefaultGateway: true,
      hairpinMode: true,
      ipMasq: true,
      ipam: ipam(SUBNETS.server),
    },
    { type: "portmap", capabilities: { portMappings: true } },
    { type: "firewall" },
    { type: "bandwidth", capabilities: { bandwidth: true } },
  ],
};
/** As Canal's manifest has it, with the key that K3s asks its users to add. */
const CANAL = {
  name: "k8s-pod-network",
  cniVersion: "0.3.1",
  plugins: [
    {
      type: "calico",
      log_level: "info",
      datastore_type: "kubernetes",
      mtu: 1450,
      ipam: { type: "host-local", subnet: "usePodCidr" },
      policy: { type: "k8s" },
      container_settings: { allow_ip_forwarding: true },
      kubernetes: { kubeconfig: "/etc/cni/net.d/calico-kubeconfig" },
    },
    { type: "portmap", snat: true, capabilities: { portMappings: true } },
    { type: "bandwidth", capabilities: { bandwidth: true } },
  ],
};
/** Stands in for calico: a point-to-point cable by Debian's ptp, and the setting that was asked for. */
const CALICO = `#!/bin/sh
input=$(cat | sed -e 's/"type":"calico"/"type":"ptp"/' -e 's#"ipam":{[^}]*}#"ipam":${JSON.stringify(ipam(SUBNETS["agent-1"], { routes: [{ dst: "0.0.0.0/0" }] }))}#')
printf %s "$input" | /usr/lib/cni/ptp || exit 1
case "$CNI_COMMAND$input" in
  ADD*'"allow_ip_forwarding":true'*) nsenter --net="$CNI_NETNS" sysctl -qw net.ipv4.ip_forward=1 >&2 ;;
esac
`;

function podOf(name: string, node: string, more: object = {}, port: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: "web" } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 1,
      tolerations: [{ operator: "Exists" }],
      containers: [
        {
          name: "main",
          image: IMAGE,
          args: ["netexec", "--http-port=8080"],
          ports: [{ containerPort: 8080, ...port }],
          readinessProbe: { httpGet: { path: "/hostname", port: 8080 } },
        },
      ],
      ...more,
    },
  });
}

const SERVICE = JSON.stringify({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
});

describe("a cluster with a network of its own", { skip }, () => {
  removeStaleLabs();
  const lab = new Lab("cni");
  const folder = (role: string, ...path: readonly string[]) =>
    join(LAB_ROOTS.state, lab.name, "nodes", lab.node(role), ...path);
  const configure = (role: string, list: object) =>
    writeFileSync(folder(role, "etc/cni/net.d/10-pods.conflist"), JSON.stringify(list));
  const ready = (role: string) =>
    lab.json<Node>("get", "node", lab.node(role)).status?.conditions?.find(({ type }) => type === "Ready");
  const podIp = (name: string) =>
    eventually(`${name} runs`, () => {
      const { status } = lab.json<Pod>("get", "pod", name);
      const isReady = status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True");
      return isReady ? status?.podIP : undefined;
    });
  /** In the network of the one pod that the node has. */
  const inPod = (role: string, ...words: readonly string[]) => {
    const [netns = ""] = readdirSync(folder(role, "run/netns"));
    const mounts = `--mount=${join(LAB_ROOTS.run, lab.name, `${lab.node(role)}.mnt`)}`;
    return run("nsenter", [mounts, "nsenter", `--net=/run/netns/${netns}`, ...words]).out.trim();
  };
  const curl = (role: string, url: string) => lab.inNode(role, "curl", "-gs", "-m", "3", url).out;
  const traces = (role: string) => {
    const sh = (script: string) => lab.inNode(role, "sh", "-c", script).out.trim();
    const files = (path: string) => (existsSync(folder(role, path)) ? readdirSync(folder(role, path)) : []);
    return [
      sh("ip -o link show type veth | grep -v eth0"),
      sh("iptables-save | grep -E '10\\.42\\.[01]\\.[0-9]+/32|1808[01]'"),
      ...files("var-lib/cni/results"),
      ...files("var-lib/cni/networks/debian").filter((name) => /^\d+\./.test(name)),
      ...files("run/netns"),
    ].filter((text) => text !== "");
  };

  before(() => {
    const ran = lab.twill(
      "up",
      "--nodes",
      "2",
      "--flannel-backend=none",
      "--disable-network-policy",
      "--disable=coredns",
    );
    assert.equal(ran.code, 0, `${ran.out}${ran.err}`);
    assert.match(ran.out, /Pods start once each node has a network configuration/);
    for (const [role, to, via] of [
      ["server", SUBNETS["agent-1"], AGENT_IP],
      ["agent-1", SUBNETS.server, SERVER_IP],
    ] as const)
      lab.inNode(role, "ip", "route", "add", to, "via", via);
  });
  after(() => {
    lab.down();
  });

  test("nodes say what they lack, and pods of the node's network run", async () => {
    for (const role of ["server", "agent-1"]) {
      const { status, reason, message } = (await eventually("the node's condition", () => ready(role))) ?? {};
      assert.deepEqual([status, reason, message], ["False", "KubeletNotReady", NOT_READY], role);
    }
    lab.apply(podOf("host", lab.node("server"), { hostNetwork: true }));
    lab.apply(podOf("first", lab.node("server"), {}, { hostPort: 18080 }));
    assert.equal(await podIp("host"), SERVER_IP);
    await eventually("the other pod waits for a network", () =>
      lab
        .kubectl("get", "events", "--field-selector=involvedObject.name=first")
        .includes(`network is not ready: ${NOT_READY}`),
    );
    lab.kubectl("delete", "pod", "host");
    assert.equal(lab.inNode("server", "ip", "link", "show", "cni0").code, 1, "no bridge of ours");
    assert.equal(lab.inNode("server", "ip", "link", "show", "flannel.1").code, 1, "no tunnel of ours");
  });

  test("a node is ready as soon as it has a network, by Debian's plugins", async () => {
    configure("server", DEBIAN);
    await eventually("the node is ready", () => ready("server")?.status === "True" || undefined);
    assert.match(await podIp("first"), /^10\.42\.0\./);
    assert.equal(curl("agent-1", `http://${SERVER_IP}:18080/hostname`), "first");
  });

  test("a plugin that is missing is named on the pod, in the log, and asked again", async () => {
    configure("agent-1", CANAL);
    await eventually("the node is ready", () => ready("agent-1")?.status === "True" || undefined);
    lab.apply(podOf("second", lab.node("agent-1"), {}, { hostPort: 18081 }));
    const event = await eventually("the event", () =>
      lab
        .json<{ items: readonly Event[] }>("get", "events", "--field-selector=involvedObject.name=second")
        .items.find(({ reason }) => reason === "FailedCreatePodSandBox"),
    );
    assert.match(
      event.message ?? "",
      /^Failed to create pod sandbox: .*failed to setup network for sandbox "[0-9a-f]{64}": plugin type="calico" failed \(add\): failed to find plugin "calico" in path \[\/opt\/cni\/bin \/usr\/lib\/cni\]$/,
    );
    assert.match(lab.logOf("agent-1"), /plugins of the network are missing.*plugins=\["calico"\]/);
    const calico = folder("agent-1", "opt/cni/bin/calico");
    writeFileSync(calico, CALICO);
    chmodSync(calico, 0o755);
    const ip = await podIp("second");
    assert.match(ip, /^10\.42\.1\./);
    assert.equal(inPod("agent-1", "sysctl", "-n", "net.ipv4.ip_forward"), "1");
    assert.equal(curl("server", `http://${AGENT_IP}:18081/hostname`), "second");
  });

  test("pods of both nodes reach each other, by address and by service", async () => {
    lab.apply(SERVICE);
    const [first, second] = [await podIp("first"), await podIp("second")];
    const clusterIp = lab.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}");
    const dial = (role: string, from: string, host: string, port: number) =>
      curl(role, `http://${from}:8080/dial?host=${host}&port=${port}&protocol=http&request=hostname&tries=8`);
    assert.match(dial("server", first, second, 8080), /"second"/);
    assert.match(dial("agent-1", second, first, 8080), /"first"/);
    for (const [role, from] of [
      ["server", first],
      ["agent-1", second],
    ] as const)
      await eventually(`both answer ${from}`, () => {
        const said = dial(role, from, clusterIp, 80);
        return (said.includes('"first"') && said.includes('"second"')) || undefined;
      });
  });

  test("running pods stay when the configuration goes, and when the agent is killed", async () => {
    const before = [await podIp("first"), await podIp("second")];
    rmSync(folder("server", "etc/cni/net.d/10-pods.conflist"));
    await eventually("the node is not ready", () => ready("server")?.message === NOT_READY || undefined);
    assert.equal(curl("server", `http://${before[0]}:8080/hostname`), "first");
    lab.killNode("agent-1");
    configure("server", DEBIAN);
    const ran = lab.twill("up");
    assert.equal(ran.code, 0, ran.err);
    await eventually("the node is ready", () => ready("server")?.status === "True" || undefined);
    assert.deepEqual([await podIp("first"), await podIp("second")], before);
    assert.equal(curl("server", `http://${AGENT_IP}:18081/hostname`), "second");
  });

  test("a limit that makes no sense is told", async () => {
    const pod = JSON.parse(podOf("slow", lab.node("server"))) as { metadata: object };
    const annotations = { "kubernetes.io/ingress-bandwidth": "10" };
    lab.apply(JSON.stringify({ ...pod, metadata: { ...pod.metadata, annotations } }));
    await eventually("the event", () =>
      lab
        .kubectl("get", "events", "--field-selector=involvedObject.name=slow")
        .includes("resource is unreasonably small (< 1kbit)"),
    );
  });

  test("deleted pods leave nothing", async () => {
    lab.kubectl("delete", "pods", "--all", "--wait=true");
    for (const role of ["server", "agent-1"])
      await eventually(`nothing is left on ${role}`, () =>
        traces(role).length === 0 ? true : undefined,
      ).catch(() => assert.deepEqual(traces(role), []));
  });
});
