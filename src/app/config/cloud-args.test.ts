import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { nodeOrigin } from "./node-origin.ts";
import { readCcm } from "./read-ccm.ts";
import { readServerConfig } from "./read-config.ts";

const dir = mkdtempSync(join(tmpdir(), "twill-cloud-args-"));
after(() => rmSync(dir, { recursive: true }));
const none = { K3S_CONFIG_FILE: "/dev/null" };
const server = (...argv: readonly string[]) => readServerConfig(["--node-name", "n", ...argv], none);
const arg = (text: string) => `--kube-cloud-controller-manager-arg=${text}`;
const wrongOf = (reading: ReturnType<typeof server> | ReturnType<typeof readCcm>) =>
  reading.kind === "bad" ? reading.problems.join("\n") : "";

test("a cloud controller's arguments that mean something are honoured", () => {
  const reading = server(
    arg("node-status-update-frequency=30s"),
    arg("concurrent-node-syncs=7"),
    arg("--leader-elect-lease-duration=1m"),
    arg("leader-elect-renew-deadline=40s"),
    arg("leader-elect=false"),
    arg("secure-port=0"),
    arg("v=4"),
  );
  assert.ok(reading.kind === "good", wrongOf(reading));
  assert.deepEqual(reading.config.cloud, {
    nodeStatusMs: 30_000,
    workers: 7,
    election: { isOn: false, timing: { lease: 60_000, deadline: 40_000, retry: 2_000 } },
  });
  assert.match(reading.warnings.join(), /v: has no effect/);
});

for (const [text, says] of [
  ["cloud-provider=aws", /"aws" is not what this controller does, which is k3s/],
  ["configure-cloud-routes=true", /configure-cloud-routes/],
  ["secure-port=10258", /secure-port/],
  ["controllers=*,-service", /use --disable-cloud-controller and --disable=servicelb/],
  ["concurrent-node-syncs=0", /not a number from 1 to 100/],
  ["leader-elect-renew-deadline=20s", /lease-duration must be longer/],
  ["leader-elect-retry-period=9s", /1\.2 times/],
  ["node-status-update-frequency=soon", /not a duration/],
  ["concurent-node-syncs=2", /did you mean concurrent-node-syncs/],
] as const)
  test(`${text} is refused by name`, () => assert.match(wrongOf(server(arg(text))), says));

test("who says what a node is is chosen on the servers, and may be said of one kubelet", () => {
  const reading = server(
    "--disable-cloud-controller",
    "--disable=servicelb,coredns",
    "--kubelet-arg=cloud-provider=external",
  );
  assert.ok(reading.kind === "good", wrongOf(reading));
  const { cluster, node } = reading.config;
  assert.deepEqual([cluster.disableCloudController, cluster.disableServiceLb], [true, true]);
  assert.equal(node.kubelet.cloudProvider, "external");
  assert.match(wrongOf(server("--kubelet-arg=cloud-provider=aws")), /"aws" is not in Kubernetes any more/);
  assert.match(wrongOf(server("--node-internal-dns=a b")), /--node-internal-dns/);
  const named = server("--node-internal-dns=a.lan,b.lan", "--node-external-dns=a.example");
  assert.ok(named.kind === "good");
  assert.deepEqual(
    [named.config.node.internalDns, named.config.node.externalDns],
    [["a.lan", "b.lan"], ["a.example"]],
  );
});

test("what a node was started with is told without what is secret", () => {
  const words = [
    "server",
    "--token=t0",
    "-t",
    "t1",
    "--agent-token",
    "t2",
    "--token-file=/t",
    "--debug",
    "--vpn-auth=name=x,joinKey=k",
  ];
  const more = ["--etcd-s3-secret-key=s", "--datastore-endpoint", "mysql://u:p@h/"];
  const origin = nodeOrigin([...words, ...more], {
    K3S_TOKEN: "x",
    K3S_URL: "u",
    K3S_NODE_NAME: "n",
    PATH: "/",
    K3S_VPN_AUTH: "y",
  });
  assert.deepEqual(JSON.parse(origin["k3s.io/node-args"]), [
    ...[
      "server",
      "--token",
      "********",
      "-t",
      "********",
      "--agent-token",
      "********",
      "--token-file",
      "/t",
      "--debug",
    ],
    ...["--vpn-auth", "********", "--etcd-s3-secret-key", "********", "--datastore-endpoint", "********"],
  ]);
  assert.equal(
    origin["k3s.io/node-env"],
    '{"K3S_NODE_NAME":"n","K3S_TOKEN":"********","K3S_URL":"u","K3S_VPN_AUTH":"********"}',
  );
});

test("the hash is K3s's: base32 of the SHA-256 of both", () => {
  // printf '["server"]{}' | sha256sum | xxd -r -p | base32
  assert.equal(
    nodeOrigin(["server"], {})["k3s.io/node-config-hash"],
    "MLFMUCBMRVINLJJKSG32TOUFWB4CN55GMSNY25AZPESQXZCYRN2A====",
  );
});

test("flags of the configuration file come first, and thousands of words are not put on a Node", () => {
  const file = join(dir, "config.yaml");
  writeFileSync(file, "node-name: node-1\ntoken: secret\nnode-label: [a=b, c=d]\n");
  const reading = readServerConfig(["--debug"], { K3S_CONFIG_FILE: file });
  assert.ok(reading.kind === "good", wrongOf(reading));
  assert.deepEqual(JSON.parse(reading.config.node.origin["k3s.io/node-args"]), [
    ...[
      "server",
      "--node-name",
      "node-1",
      "--token",
      "********",
      "--node-label",
      "a=b",
      "--node-label",
      "c=d",
      "--debug",
    ],
  ]);
  const many = nodeOrigin(
    Array.from({ length: 20_000 }, () => "--node-label=a=b"),
    {},
  );
  assert.match(many["k3s.io/node-args"], /^"\d+ characters: left out"$/);
});

test("ccm alone is told by K3s's file and its own flags what it is to do", () => {
  const file = join(dir, "cloud.json");
  writeFileSync(
    file,
    '{"lbEnabled":true,"nodeEnabled":true,"lbNamespace":"lb","lbImage":"x/y:1","rootless":false}',
  );
  const reading = readCcm(["--cloud-config", file, "--leader-elect=false", "--cloud-provider=k3s", "-v=2"]);
  assert.ok(reading.kind === "good", wrongOf(reading));
  const { config } = reading;
  assert.deepEqual(config.serviceLb, {
    namespace: "lb",
    image: "x/y:1",
    priorityClassName: "system-node-critical",
  });
  assert.deepEqual([config.nodes, config.args.election.isOn, config.isDebug], [true, false, true]);
});

for (const [list, nodes, isBalancing] of [
  ["*", true, true],
  ["*,-service", true, false],
  ["*,-route,-cloud-node,-cloud-node-lifecycle", false, true],
  ["cloud-node", true, false],
] as const)
  test(`ccm with --controllers=${list}`, () => {
    const reading = readCcm([`--controllers=${list}`]);
    assert.ok(reading.kind === "good", wrongOf(reading));
    assert.deepEqual([reading.config.nodes, reading.config.serviceLb !== undefined], [nodes, isBalancing]);
  });

test("what ccm cannot do is told all at once", () => {
  const file = join(dir, "odd.json");
  writeFileSync(file, '{"lbEnabled":"yes"}');
  const text = wrongOf(
    readCcm([
      "word",
      "--colour",
      "--cloud-provider",
      "aws",
      "--cloud-config",
      file,
      "--master=http://x",
      "--controllers=route",
      "--v=much",
    ]),
  );
  for (const says of [
    /"word" is not a flag/,
    /--colour is not a flag of ccm/,
    /aws is not what/,
    /lbEnabled is not a boolean/,
    /--master/,
    /nothing is left/,
    /--v: "much"/,
  ])
    assert.match(text, says);
});
