import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { VXLAN } from "#fabric/model";
import { formatNetConf } from "#fabric/net-conf";
import { readFabricAlone } from "./read-fabric-alone.ts";

const dir = mkdtempSync(join(tmpdir(), "twill-fabric-alone-"));
after(() => rmSync(dir, { recursive: true }));
const file = join(dir, "net-conf.json");
writeFileSync(file, formatNetConf([parseCidr("10.42.0.0/16")], "vxlan"));

function good(argv: readonly string[], env: Record<string, string> = {}) {
  const reading = readFabricAlone([`--net-conf-path=${file}`, ...argv], { NODE_NAME: "n", ...env });
  assert.ok(reading.kind === "good", JSON.stringify(reading));
  return reading;
}

test("without flags: the pod's service account, and flannel's defaults", () => {
  assert.deepEqual(good([]).config, {
    kubeconfig: undefined,
    apiUrl: undefined,
    node: { kind: "named", name: "n" },
    netConf: { networks: { 4: "10.42.0.0/16" }, backend: VXLAN },
    interfaces: { named: [], matching: [], canReach: undefined },
    publicIps: [],
    subnetFile: "/run/flannel/subnet.env",
    wireguardKeyFile: "/run/flannel/wgkey",
    masquerade: undefined,
    tellsNetworkAvailable: true,
    health: undefined,
    guard: true,
    isDebug: false,
  });
});

test("flanneld's own words, with one dash or two, are understood", () => {
  const { config, warnings } = good([
    "-kube-subnet-mgr",
    "--ip-masq=true",
    "--ip-masq-fully-random-disable",
    "--kubeconfig-file",
    "/etc/kc",
    "--kube-api-url=https://192.0.2.1:6443/",
    "--iface=eth1",
    "--iface",
    "192.0.2.9",
    "--iface-regex=^ens",
    "--iface-can-reach=192.0.2.1",
    "--public-ip=203.0.113.1",
    "--public-ipv6=2001:db8::1",
    "--subnet-file=/tmp/subnet.env",
    "--set-node-network-unavailable=false",
    "--healthz-port=10256",
    "--iptables-resync=5",
    "--iptables-forward-rules=false",
    "-v=4",
    "--disable-fabric-guard",
  ]);
  assert.deepEqual(config, {
    kubeconfig: "/etc/kc",
    apiUrl: "https://192.0.2.1:6443",
    node: { kind: "named", name: "n" },
    netConf: config.netConf,
    interfaces: { named: ["eth1", "192.0.2.9"], matching: [/^ens/], canReach: "192.0.2.1" },
    publicIps: ["203.0.113.1", "2001:db8::1"],
    subnetFile: "/tmp/subnet.env",
    wireguardKeyFile: "/run/flannel/wgkey",
    masquerade: "plain",
    tellsNetworkAvailable: false,
    health: { ip: "0.0.0.0", port: 10256 },
    guard: false,
    isDebug: true,
  });
  assert.equal(warnings.length, 2, warnings.join("; "));
});

test("the environment says what the command line leaves out", () => {
  const env = {
    FLANNELD_IFACE: "eth7",
    FLANNELD_IP_MASQ: "true",
    FLANNELD_KUBECONFIG_FILE: "/env/kc",
    WIREGUARD_KEY_FILE: "/env/wg",
  };
  const { config } = good(["--iface=eth1"], env);
  assert.deepEqual(config.interfaces.named, ["eth1"]);
  assert.equal(config.masquerade, "fully-random");
  assert.equal(config.kubeconfig, "/env/kc");
  assert.equal(config.wireguardKeyFile, "/env/wg");
  const pod = { NODE_NAME: "", POD_NAME: "p", POD_NAMESPACE: "s" };
  assert.deepEqual(good([], pod).config.node, { kind: "of-pod", namespace: "s", name: "p" });
  assert.deepEqual(good(["--node-name=m"], pod).config.node, { kind: "named", name: "m" });
});

const problems: readonly (readonly [argv: readonly string[], says: RegExp])[] = [
  [["--etcd-endpoints", "http://x"], /^--etcd-endpoints is for flannel on etcd; .*leave it out$/],
  [["--kube-subnet-mgr=false"], /^--kube-subnet-mgr is for flannel on etcd/],
  [["--kube-annotation-prefix=x"], /is not Twill's/],
  [["--ip-blackhole-route"], /is not in Twill/],
  [["--ifase=x"], /--ifase is not a flag of fabric; did you mean --iface\?/],
  [["constructor"], /"constructor" is not a flag/],
  [["--constructor"], /--constructor is not a flag of fabric/],
  [["--iface"], /--iface needs a value/],
  [["--ip-masq=yes"], /--ip-masq: "yes": expected true or false/],
  [["--iface-regex=("], /--iface-regex: Invalid regular expression/],
  [["--public-ip=2001:db8::1"], /--public-ip: 2001:db8::1 is no IPv4 address/],
  [["--net-config-path=/nowhere"], /--net-config-path: Cannot read \/nowhere: there is no such file/],
  [["--node-name=A_b"], /--node-name: /],
  [["--healthz-port=70000"], /--healthz-port: "70000" is not a port/],
  [["--kube-api-url=http://x"], /--kube-api-url: "http:\/\/x" is not an address/],
];
for (const [argv, says] of problems) {
  test(`fabric ${argv.join(" ")} is refused`, () => {
    const reading = readFabricAlone([`--net-config-path=${file}`, ...argv], { NODE_NAME: "n" });
    assert.ok(reading.kind === "bad");
    assert.equal(reading.problems.length, 1, reading.problems.join("\n"));
    assert.match(reading.problems[0] ?? "", says);
  });
}

test("a value in the environment is told with its place", () => {
  const reading = readFabricAlone([], { NODE_NAME: "n", FLANNELD_NET_CONFIG_PATH: "/nowhere" });
  assert.ok(reading.kind === "bad");
  assert.match(
    reading.problems.join(),
    /^FLANNELD_NET_CONFIG_PATH in the environment: Cannot read .*: there is no such file/,
  );
});
