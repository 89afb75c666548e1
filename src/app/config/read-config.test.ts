import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { WIREGUARD } from "#fabric/model";
import { formatNetConf } from "#fabric/net-conf";
import { readAgentConfig, readServerConfig } from "./read-config.ts";

const dir = mkdtempSync(join(tmpdir(), "twill-config-"));
after(() => rmSync(dir, { recursive: true }));
const none = { K3S_CONFIG_FILE: "/dev/null" };

function server(argv: readonly string[], env: Record<string, string> = none) {
  return readServerConfig(["--node-name", "n", ...argv], env);
}

function good(argv: readonly string[], env: Record<string, string> = none) {
  const reading = server(argv, env);
  assert.equal(reading.kind, "good", JSON.stringify(reading));
  if (reading.kind !== "good") throw new Error("unreachable");
  return reading;
}

test("without flags the defaults are K3s's", () => {
  const { config } = good([]);
  assert.deepEqual(config.cluster.clusterCidrs, ["10.42.0.0/16"]);
  assert.deepEqual(config.cluster.serviceCidrs, ["10.43.0.0/16"]);
  assert.deepEqual(config.cluster.clusterDns, ["10.43.0.10"]);
  assert.deepEqual(config.cluster.nodePortRange, { from: 30000, to: 32767 });
  assert.equal(config.cluster.httpsPort, 6443);
  assert.equal(config.node.dataDir, "/var/lib/rancher/k3s");
  assert.deepEqual(config.kubeconfig, { path: "/etc/rancher/k3s/k3s.yaml", mode: 0o600 });
});

test("an IPv6 node gets K3s's IPv6 networks", () => {
  const { config } = good(["--node-ip", "2001:db8::1"]);
  assert.deepEqual(config.cluster.clusterCidrs, ["fd00:42::/56"]);
  assert.deepEqual(config.cluster.clusterDns, ["fd00:43::a"]);
});

test("two families are given in one flag or two", () => {
  const one = good([
    "--cluster-cidr=10.42.0.0/16,2001:db8:42::/56",
    "--service-cidr=10.43.0.0/16,2001:db8:43::/112",
  ]);
  const two = good([
    "--cluster-cidr",
    "10.42.0.0/16",
    "--cluster-cidr",
    "2001:db8:42::/56",
    "--service-cidr=10.43.0.0/16",
    "--service-cidr=2001:db8:43::/112",
  ]);
  assert.deepEqual(one.config.cluster, two.config.cluster);
  assert.deepEqual(one.config.cluster.clusterDns, ["10.43.0.10", "2001:db8:43::a"]);
});

test("every problem is told at once, each with its flag's name", () => {
  const reading = server([
    "--cluster-cidr",
    "10.42.0.0/33",
    "--node-ip",
    "300.1.1.1",
    "--https-listen-port=0",
    "--service-node-port-range",
    "9-1",
    "--colour",
    "--node-label",
    "x",
    "word",
    "--write-kubeconfig-mode=999",
    "--flannel-backend",
    "ipsec",
  ]);
  assert.equal(reading.kind, "bad");
  const text = reading.kind === "bad" ? reading.problems.join("\n") : "";
  for (const flag of [
    "cluster-cidr",
    "node-ip",
    "https-listen-port",
    "service-node-port-range",
    "colour",
    "node-label",
    "write-kubeconfig-mode",
    "flannel-backend",
  ]) {
    assert.match(text, new RegExp(`--${flag}\\b`));
  }
  assert.match(text, /"word" is not a flag/);
  assert.match(text, /wireguard-native/);
});

const problems: readonly (readonly [argv: readonly string[], says: RegExp])[] = [
  [["--cluster-cidr=10.42.0.0/16", "--service-cidr=2001:db8::/112"], /same families in the same order/],
  [
    ["--cluster-cidr=10.42.0.0/16", "--service-cidr=10.42.128.0/17"],
    /--cluster-cidr: 10\.42\.0\.0\/16 overlaps --service-cidr 10\.42\.128\.0\/17/,
  ],
  [["--service-cidr=10.0.0.0/8", "--cluster-cidr=192.168.0.0/16"], /too large; the largest is a \/12/],
  [["--service-cidr=10.43.0.0/30"], /too small to hold the DNS address/],
  [["--cluster-cidr=10.42.0.0/25"], /smaller than one node's \/24/],
  [
    ["--kube-controller-manager-arg=node-cidr-mask-size=15"],
    /10\.42\.0\.0\/16 is smaller than one node's \/15/,
  ],
  [["--kube-controller-manager-arg=node-cidr-mask-size=40"], /between \/1 and \/31/],
  [["--kube-controller-manager-arg=profiling=true"], /Twill takes node-cidr-mask-size, /],
  [["--cluster-cidr=10.42.0.1/16"], /host bits are set; the network is 10\.42\.0\.0\/16/],
  [["--cluster-cidr=10.42.0.0/16,10.44.0.0/16"], /2 values are IPv4/],
  [["--cluster-dns=192.0.2.1"], /192\.0\.2\.1 is in no --service-cidr/],
  [["--node-lable=a=b"], /did you mean --node-label/],
  [
    ["--cluster-cidr=10.42.0.0/16,fd00:42::/56", "--service-cidr=fd00:43::/112,10.43.0.0/16"],
    /--service-cidr: .*same order, such as --service-cidr=10\.43\.0\.0\/16,fd00:43::\/112/,
  ],
  [["--cluster-cidr=fd00:42::/56"], /such as --service-cidr=fd00:43::\/112/],
  [
    ["--service-cidr=10.43.0.0/16,fd00:43::/112"],
    /--cluster-cidr 10\.42\.0\.0\/16: both need the same families/,
  ],
  [
    ["--cluster-cidr=10.42.0.0/16,fd00:42::/56,fd00:44::/56", "--service-cidr=10.43.0.0/16,fd00:43::/112"],
    /--cluster-cidr: 2 values are IPv6; give at most one a family, such as 10\.42/,
  ],
  [
    ["--service-cidr=fd00:43::/108", "--cluster-cidr=fd00:42::/56"],
    /the largest is a \/112, such as fd00:43::\/112/,
  ],
  [["--cluster-cidr=0.0.0.0/0", "--service-cidr=10.43.0.0/16"], /0\.0\.0\.0\/0 is every address there is/],
  [["--cluster-cidr=fd00:42::/47", "--service-cidr=fd00:43::/112"], /more than 16 bits longer/],
  [["--cluster-cidr=fd00:42::/65", "--service-cidr=fd00:43::/112"], /smaller than one node's \/64/],
  [
    [
      "--cluster-cidr=10.42.0.0/16,fd00:42::/56",
      "--service-cidr=10.43.0.0/16,fd00:43::/112",
      "--node-ip=192.0.2.7",
    ],
    /--node-ip: 192\.0\.2\.7 has no IPv6 address, .* such as --node-ip=192\.0\.2\.7,2001:db8::1/,
  ],
  [
    ["--cluster-cidr=10.42.0.0/16", "--node-ip=2001:db8::7"],
    /--node-ip: 2001:db8::7 has no IPv4 address, .* --node-ip=192\.0\.2\.1,2001:db8::7/,
  ],
  [["--node-ip=127.0.0.1"], /--node-ip: 127\.0\.0\.1 is a loopback address; give one/],
  [["--node-ip=0.0.0.0"], /--node-ip: 0\.0\.0\.0 is every address/],
  [["--node-ip=169.254.1.1"], /--node-ip: 169\.254\.1\.1 is a link-local address/],
  [["--node-ip=192.0.2.1,ff02::1"], /--node-ip: ff02::1 is a multicast address/],
  [["--node-ip=192.0.2.1,192.0.2.2"], /--node-ip: 2 values are IPv4; give at most one a family, such as 192/],
  [["--node-external-ip=192.0.2.1,192.0.2.2"], /--node-external-ip: 2 values are IPv4/],
  [
    ["--flannel-external-ip", "--flannel-backend=host-gw"],
    /--flannel-external-ip: with .*host-gw .* use wireguard-native/,
  ],
  [
    ["--flannel-backend=ipsec"],
    /two steps: first write flannel-backend: wireguard-native .* then reboot every node/,
  ],
  [["--flannel-backend=wireguard"], /wireguard has gone from K3s; move in two steps/],
  [["--flannel-backend=wireguard=MTU=1400"], /wireguard has gone from K3s/],
  [
    ["--flannel-backend=vxlan=Port=4789"],
    /net-conf\.json, name it with --flannel-conf, and leave --flannel-backend=vxlan/,
  ],
  [["--flannel-backend=tailscale"], /tailscale is chosen by K3s's --vpn-auth/],
  [["--flannel-backend=hostgw"], /"hostgw" is not a backend; use vxlan, .*; did you mean host-gw\?/],
  [["--flannel-backend=udp"], /use vxlan, host-gw, wireguard-native, none$/m],
  [["--flannel-iface=eth0/1"], /--flannel-iface: "eth0\/1" is not the name of an interface such as eth0/],
  [["--flannel-conf=/nowhere.json"], /--flannel-conf: Cannot read \/nowhere\.json: there is no such file/],
  [["--flannel-conf=/tmp"], /--flannel-conf: Cannot read \/tmp: it is a folder/],
  [["--flannel-cni-conf=/dev/null"], /--flannel-cni-conf: \/dev\/null: is not JSON/],
  [["--cluster-init"], /is a K3s flag that Twill does not have yet/],
  [["--no-flannel"], /--no-flannel is gone; use --flannel-backend=none/],
  [["--token-file=/nowhere/at/all"], /--token-file: .*ENOENT/],
  [["--node-taint=a=b"], /NoSchedule, PreferNoSchedule or NoExecute/],
  [["--data-dir"], /--data-dir needs a value/],
  [["--debug=maybe"], /expected true or false/],
];

for (const [argv, says] of problems) {
  test(`${argv.join(" ")} is refused`, () => {
    const reading = server(argv);
    assert.equal(reading.kind, "bad");
    assert.match(reading.kind === "bad" ? reading.problems.join("\n") : "", says);
  });
}

for (const backend of ["vxlan", "host-gw", "wireguard-native", "none"] as const) {
  test(`--flannel-backend=${backend} is the cluster's`, () => {
    assert.equal(good(["--flannel-backend", backend]).config.cluster.flannelBackend, backend);
  });
}

test("a node inside its cluster's networks is warned of", () => {
  const { warnings } = good(["--node-ip=10.42.0.9", "--node-external-ip=10.43.0.9"]);
  assert.match(
    warnings.join("\n"),
    /--node-ip: 10\.42\.0\.9 is inside --cluster-cidr 10\.42\.0\.0\/16, .* pods'/,
  );
  assert.match(warnings.join("\n"), /--node-external-ip: 10\.43\.0\.9 is inside --service-cidr .* services'/);
});

test("what a node is told of the fabric", () => {
  const conf = join(dir, "net-conf.json");
  const list = join(dir, "cni.conflist");
  writeFileSync(conf, formatNetConf([parseCidr("10.42.0.0/16")], "wireguard"));
  writeFileSync(list, '{"plugins": [{"type": "flannel"}]}');
  const { config, warnings } = good([
    `--flannel-conf=${conf}`,
    `--flannel-cni-conf=${list}`,
    "--flannel-iface=eth1",
    "--disable-fabric-guard",
    "--flannel-external-ip",
    "--flannel-ipv6-masq",
  ]);
  assert.deepEqual(warnings, []);
  assert.deepEqual(config.node.fabric, {
    iface: "eth1",
    netConf: { file: conf, conf: { networks: { 4: "10.42.0.0/16" }, backend: WIREGUARD } },
    cniConf: { file: list, text: '{"plugins": [{"type": "flannel"}]}' },
    guard: false,
  });
  assert.equal(config.cluster.flannelExternalIp, true);
  assert.equal(config.cluster.flannelIpv6Masq, true);
});

test("a net-conf.json that does not fit is told with its file and the flag", () => {
  const conf = join(dir, "bad-net-conf.json");
  const problemsOf = (text: string) => {
    writeFileSync(conf, text);
    const reading = server([`--flannel-conf=${conf}`]);
    return reading.kind === "bad" ? reading.problems.join("\n") : "";
  };
  assert.match(problemsOf("{"), /^--flannel-conf: .*bad-net-conf\.json: is not JSON/);
  assert.match(problemsOf('{"Backend": {"Type": "udp"}}'), /udp copies every packet/);
  assert.match(
    problemsOf('{"Network": "10.1.0.0/16", "Backend": {"Type": "vxlan"}}'),
    /Network is 10\.1\.0\.0\/16, .* --cluster-cidr 10\.42\.0\.0\/16; write "Network": "10\.42\.0\.0\/16"/,
  );
});

test("an old spelling works and is warned about", () => {
  const { config, warnings } = good(["--no-deploy", "coredns"]);
  assert.deepEqual(config.disable, ["coredns"]);
  assert.match(warnings.join(), /--no-deploy is now --disable/);
  assert.deepEqual(good(["--disable=traefik,my-own"]).warnings, []);
  assert.match(good(["--disable=servicelbb"]).warnings.join(), /servicelbb.*did you mean servicelb\?/);
});

test("load balancers: their namespace, and whether there are any", () => {
  assert.equal(good([]).config.serviceLb.namespace, "kube-system");
  assert.equal(good([]).config.cluster.disableServiceLb, false);
  const { config } = good(["--servicelb-namespace=lbs", "--disable=coredns,servicelb"]);
  assert.equal(config.serviceLb.namespace, "lbs");
  assert.equal(config.cluster.disableServiceLb, true);
  const bad = readServerConfig(["--servicelb-namespace=Not_one"], none);
  assert.match(bad.kind === "bad" ? bad.problems.join() : "", /--servicelb-namespace: .*Not_one/);
});

test("an agent needs a server and a token, and both are asked for at once", () => {
  const reading = readAgentConfig(["--node-name", "a"], none);
  assert.equal(reading.kind, "bad");
  const text = reading.kind === "bad" ? reading.problems.join("\n") : "";
  assert.match(text, /--server is required/);
  assert.match(text, /--token is required/);
  const http = readAgentConfig(["--node-name", "a", "--server", "http://x:1", "--token", "t"], none);
  assert.match(
    http.kind === "bad" ? http.problems.join() : "",
    /--server: "http:\/\/x:1" is not an address such as https/,
  );
});

test("the command line beats the file, the file beats the environment", () => {
  const file = join(dir, "config.yaml");
  mkdirSync(`${file}.d`, { recursive: true });
  writeFileSync(
    file,
    "cluster-domain: from.file\ntoken: in-file\ndisable: [coredns]\nnode-label:\n  - a=1\nsome-future-flag: 1\ndebug: true\n",
  );
  writeFileSync(`${file}.d/10.yaml`, "token: in-dropin\nnode-label+:\n  - b=2\n");
  const env = { K3S_CONFIG_FILE: file, K3S_TOKEN: "in-env", K3S_DATA_DIR: "/from/env" };
  const { config, warnings } = good(["--cluster-domain", "from.flag"], env);
  assert.equal(config.cluster.clusterDomain, "from.flag");
  assert.equal(config.token, "in-dropin");
  assert.equal(config.node.dataDir, "/from/env");
  assert.deepEqual(config.node.labels, { a: "1", b: "2" });
  assert.equal(config.node.isDebug, true);
  assert.match(warnings.join(), /some-future-flag.*skipped/);
});

test("a broken config file is named with what is wrong in it", () => {
  const file = join(dir, "broken.yaml");
  writeFileSync(file, "a: [1,\n");
  const reading = server([], { K3S_CONFIG_FILE: file });
  assert.match(
    reading.kind === "bad" ? reading.problems.join() : "",
    /broken\.yaml: .* at line 2, column 1$/,
  );
  writeFileSync(file, "- a\n");
  const list = server([], { K3S_CONFIG_FILE: file });
  assert.match(list.kind === "bad" ? list.problems.join() : "", /keys that are flag names/);
});

test("a bad value says where it stands: file and line, or environment", () => {
  const file = join(dir, "values.yaml");
  writeFileSync(
    file,
    "node-label: {a: b}\ndebug: maybe\n\nnode-ip: 300.1.1.1\ncluster-cidr: [10.0.0.0/33]\n",
  );
  const reading = server([], { K3S_CONFIG_FILE: file, K3S_KUBECONFIG_MODE: "999" });
  const text = reading.kind === "bad" ? reading.problems.join("\n") : "";
  for (const says of [
    /^node-label in .*values\.yaml, line 1: expected text or a list/m,
    /^debug in .*values\.yaml, line 2: --debug=maybe/m,
    /^node-ip in .*values\.yaml, line 4: .*300\.1\.1\.1/m,
    /^cluster-cidr in .*values\.yaml, line 5: /m,
    /^K3S_KUBECONFIG_MODE in the environment: "999"/m,
  ])
    assert.match(text, says);
  assert.equal(text.split("\n").length, 5, text);
  const missing = readServerConfig(["--node-name", "n", "--config", "/nowhere.yaml"], {});
  assert.match(missing.kind === "bad" ? missing.problems.join() : "", /\/nowhere\.yaml: it is not there/);
});
