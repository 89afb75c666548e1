/** The fabric without the rest, on a cluster that brings its own network: two nodes with `twill fabric`, by flanneld's flags. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseCidr } from "#addr/cidr";
import { formatNetConf } from "#fabric/net-conf";
import type { Node } from "#kube/generated/types";
import { formatKubeconfig, readKubeconfigFile } from "#kube/kubeconfig";
import { LAB_ROOTS } from "#lab/layout";
import { eventually, Lab, removeStaleLabs } from "./lab.ts";

const TWILL = fileURLToPath(new URL("../../bin/twill.ts", import.meta.url));
const CIDRS = ["10.42.0.0/16", "fd42::/56"].map((text) => parseCidr(text));
const ROLES = ["server", "agent-1"] as const;
const ROLE = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: twill-fabric}
rules:
- {apiGroups: [""], resources: [nodes], verbs: [get, list, watch]}
- {apiGroups: [""], resources: [nodes/status], verbs: [patch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: twill-fabric}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: twill-fabric}
subjects: [{kind: ServiceAccount, name: fabric, namespace: default}]
`;

describe("the fabric alone", () => {
  removeStaleLabs();
  const lab = new Lab("fab");
  const dir = mkdtempSync(join(tmpdir(), "twt-fabric-alone-"));
  const running = new Map<string, ChildProcess>();
  let said = "";

  /** On the node's network, with its mounts and the rights that a pod of flannel's DaemonSet has. */
  function start(role: string): ChildProcess {
    const places = ["net", "mnt"].map((kind) => join(LAB_ROOTS.run, lab.name, `${lab.node(role)}.${kind}`));
    const words = [
      "--pdeathsig",
      "KILL",
      "nsenter",
      `--net=${places[0]}`,
      `--mount=${places[1]}`,
      "setpriv",
      "--bounding-set=-all,+net_admin,+net_raw",
      "--inh-caps=-all",
      process.execPath,
      TWILL,
      "fabric",
    ];
    const flags = [
      "--kubeconfig-file",
      join(dir, "kubeconfig"),
      `--net-config-path=${join(dir, "net-conf.json")}`,
    ];
    // A run that is killed takes them along.
    const child = spawn(
      "setpriv",
      [...words, ...flags, "-ip-masq", "--kube-subnet-mgr", "--healthz-port=8471"],
      {
        env: { ...process.env, NODE_NAME: lab.node(role) },
        stdio: ["ignore", "ignore", "pipe"],
      },
    );
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    running.set(role, child);
    return child;
  }
  const stop = async (role: string) => {
    const child = running.get(role);
    running.delete(role);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
  const ready = (role: string) =>
    eventually(`${role} is ready`, () => {
      const answer = lab.inNode(role, "curl", "-s", "-m", "2", "http://127.0.0.1:8471/readyz");
      return answer.out === "ok" || undefined;
    }).catch((error: unknown) => assert.fail(`${String(error)}\n${said}`));
  const nodeOf = (role: string) => lab.json<Node>("get", "node", lab.node(role));

  before(() => {
    const cidrs = `--cluster-cidr=${CIDRS.join(",")}`;
    const up = lab.twill(
      "up",
      "--nodes=2",
      "--flannel-backend=none",
      cidrs,
      "--service-cidr=10.43.0.0/16,fd43::/112",
      "--disable=coredns",
    );
    assert.equal(up.code, 0, `${up.out}${up.err}`);
    lab.kubectl("create", "serviceaccount", "fabric");
    const token = lab.kubectl("create", "token", "fabric").trim();
    const { ca } = readKubeconfigFile(join(LAB_ROOTS.state, lab.name, "kubeconfig.yaml"));
    writeFileSync(
      join(dir, "kubeconfig"),
      formatKubeconfig({ server: "https://172.30.0.11:6443", ca, token }),
    );
    writeFileSync(join(dir, "net-conf.json"), formatNetConf(CIDRS, "vxlan"));
  });
  after(async () => {
    await Promise.all([...running.keys()].map(stop));
    lab.down();
    rmSync(dir, { recursive: true });
  });

  test("without rights it says which, and the role that has them", async () => {
    const [code] = (await once(start("server"), "exit")) as [number];
    running.delete("server");
    assert.equal(code, 1, said);
    assert.match(
      said,
      /does not allow get nodes, list nodes, watch nodes, patch nodes\/status; bind this role/,
    );
    for (const line of ROLE.trim().split("\n").slice(0, 6)) assert.ok(said.includes(line), line);
  });

  test("nodes reach each other's subnets in both families", async () => {
    lab.apply(ROLE);
    for (const role of ROLES) start(role);
    await Promise.all(ROLES.map(ready));
    for (const [role, other] of [ROLES, [...ROLES].reverse()] as [string, string][]) {
      for (const subnet of nodeOf(other).spec?.podCIDRs ?? []) {
        const [address = ""] = subnet.split("/");
        await eventually(`${role} reaches ${address}`, () => {
          const { code } = lab.inNode(role, "ping", "-c1", "-W1", address);
          return code === 0 || undefined;
        });
      }
    }
  });

  test("it tells what flannel tells: annotations, the condition, subnet.env", () => {
    const { metadata, spec, status } = nodeOf("server");
    const told = (key: string) => metadata.annotations?.[`flannel.alpha.coreos.com/${key}`];
    assert.deepEqual(
      [told("kube-subnet-manager"), told("backend-type"), told("public-ip"), told("public-ipv6")],
      ["true", "vxlan", "172.30.0.11", "fd30::b"],
    );
    const network = status?.conditions?.find(({ type }) => type === "NetworkUnavailable");
    assert.deepEqual([network?.status, network?.reason], ["False", "FlannelIsUp"]);
    const file = join(LAB_ROOTS.state, lab.name, "nodes", lab.node("server"), "run/flannel/subnet.env");
    const [v4 = "", v6 = ""] = spec?.podCIDRs ?? [];
    assert.equal(
      readFileSync(file, "utf8"),
      `FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=${v4.replace(".0/", ".1/")}\nFLANNEL_IPV6_NETWORK=fd42::/56\nFLANNEL_IPV6_SUBNET=${v6.replace("::/", "::1/")}\nFLANNEL_MTU=1430\nFLANNEL_IPMASQ=true\n`,
    );
  });

  test("what stands stays when it ends", async () => {
    const routes = () => lab.inNode("agent-1", "ip", "route", "show", "proto", "84").out;
    const before = routes();
    assert.match(before, /via 10\.42\.\d\.0 dev flannel\.1 onlink/);
    await stop("agent-1");
    assert.equal(routes(), before);
    const [subnet = ""] = nodeOf("agent-1").spec?.podCIDRs ?? [];
    assert.equal(lab.inNode("server", "ping", "-c1", "-W2", subnet.split("/")[0] ?? "").code, 0);
  });
});
