/** Service routing without the rest, on a cluster whose nodes route none: `twill proxy`, by kube-proxy's flags. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { formatKubeconfig, readKubeconfigFile } from "#kube/kubeconfig";
import { LAB_ROOTS } from "#lab/layout";
import { eventually, Lab, removeStaleLabs } from "./lab.ts";

const TWILL = fileURLToPath(new URL("../../bin/twill.ts", import.meta.url));
const NODE_IP = "172.30.0.11";
const RIGHTS = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: proxy}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: system:node-proxier}
subjects: [{kind: ServiceAccount, name: proxy, namespace: default}]
`;
/** The API once more, so that something answers without a pod. */
const SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: again}
spec: {type: NodePort, ports: [{port: 443, nodePort: 30443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: again-1, labels: {kubernetes.io/service-name: again}}
addressType: IPv4
ports: [{name: "", port: 6443, protocol: TCP}]
endpoints: [{addresses: [${NODE_IP}]}]
`;

describe("service routing alone", () => {
  removeStaleLabs();
  const lab = new Lab("kpx");
  const dir = mkdtempSync(join(tmpdir(), "twt-proxy-alone-"));
  let running: ChildProcess | undefined;
  let said = "";

  /** On the node's network, with the rights that a container of kube-proxy's DaemonSet needs. */
  function start(...flags: readonly string[]): ChildProcess {
    const net = join(LAB_ROOTS.run, lab.name, `${lab.node("server")}.net`);
    const rights = ["setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all"];
    const words = ["nsenter", `--net=${net}`, ...rights, process.execPath, TWILL, "proxy"];
    // A run that is killed takes it along.
    running = spawn("setpriv", ["--pdeathsig", "KILL", ...words, ...flags], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    said = "";
    running.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    return running;
  }
  const flags = () => [
    ...["--kubeconfig", join(dir, "kubeconfig"), `--hostname-override=${lab.node("server")}`],
    ...[
      "--cluster-cidr=10.42.0.0/16",
      `--status-socket=${join(dir, "service.sock")}`,
      "--proxy-mode=iptables",
    ],
  ];
  async function end(): Promise<void> {
    if (running?.exitCode === null && running.signalCode === null) {
      const gone = once(running, "exit");
      running.kill("SIGTERM");
      await gone;
    }
  }
  const curl = (url: string) => lab.inNode("server", "curl", "-sk", "-m", "2", "-o", "-", url).out;
  const tables = () => lab.inNode("server", "nft", "list", "tables").out;

  before(() => {
    const up = lab.twill("up", "--disable-kube-proxy", "--disable=coredns,servicelb");
    assert.equal(up.code, 0, `${up.out}${up.err}`);
    lab.kubectl("create", "serviceaccount", "proxy");
    const token = lab.kubectl("create", "token", "proxy").trim();
    const { ca } = readKubeconfigFile(join(LAB_ROOTS.state, lab.name, "kubeconfig.yaml"));
    writeFileSync(
      join(dir, "kubeconfig"),
      formatKubeconfig({ server: `https://${NODE_IP}:6443`, ca, token }),
    );
    lab.apply(SERVICE);
  });
  after(async () => {
    await end();
    lab.down();
    rmSync(dir, { recursive: true });
  });

  test("without rights it says which role has them", async () => {
    const [code] = (await once(start(...flags()), "exit")) as [number];
    assert.equal(code, 1, said);
    assert.match(said, /does not allow to list services; bind the role system:node-proxier/);
    lab.apply(RIGHTS);
  });

  test("it routes ClusterIPs and node ports, on loopback too, and is healthy", async () => {
    start(...flags());
    await eventually("it is healthy and knows its service", () => {
      const { healthy, status } = JSON.parse(curl("http://127.0.0.1:10256/healthz"));
      return (healthy && status?.IPv4 !== undefined) || undefined;
    }).catch((error: unknown) => assert.fail(`${String(error)}\n${said}`));
    for (const host of ["10.43.0.1", `${NODE_IP}:30443`, "127.0.0.1:30443"])
      assert.match(curl(`https://${host}/version`), /"(gitVersion|Status)"/, `${host}\n${said}`);
    const metrics = curl("http://127.0.0.1:10249/metrics");
    assert.match(metrics, /^kubeproxy_sync_proxy_rules_last_timestamp_seconds\{ip_family="IPv4"\} \d/m);
    assert.equal(curl("http://127.0.0.1:10249/proxyMode"), "nftables");
    assert.match(said, /Warning: --proxy-mode: iptables: Twill routes services by one program/);
  });

  test("what it made stays when it ends, and goes when it is told to clean up", async () => {
    await end();
    assert.match(tables(), /twill-service/);
    const [code] = (await once(start("--cleanup"), "exit")) as [number];
    assert.equal(code, 0, said);
    assert.doesNotMatch(tables(), /twill-(service|loopback)/);
    assert.match(said, /what an earlier run left here is gone/);
  });
});
