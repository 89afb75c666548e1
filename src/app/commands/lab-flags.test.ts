import assert from "node:assert/strict";
import { test } from "node:test";
import { readLabFlags } from "./lab-flags.ts";

test("agents get what any node takes, in whichever spelling, and nothing about one node or the cluster", () => {
  const argv = ["--nodes", "3", "--debug", "-d", "/var/lib/x", "--cluster-cidr", "10.0.0.0/16"];
  const more = ["--resolv-conf=/etc/r", "--node-label", "a=b", "-t", "secret", "--disable=coredns"];
  const { flags, problems } = readLabFlags([...argv, ...more]);
  assert.deepEqual(problems, []);
  assert.equal(flags.nodes, 3);
  assert.deepEqual(flags.serverFlags, [...argv.slice(2), ...more]);
  assert.deepEqual(flags.agentFlags, ["--debug", "-d", "/var/lib/x", "--resolv-conf=/etc/r", "-t", "secret"]);
});

test("a kubeconfig's place does not depend on where the next command is typed", () => {
  assert.equal(readLabFlags(["--write-kubeconfig", "/a/../b"]).flags.kubeconfig, "/b");
});

test("every problem is told at once", () => {
  const { problems } = readLabFlags(
    "--nodes x --api-port 99999 --page-port=-1 --name ../x --cluster-cidr 10.0.0.0/33 --colour --data-dir /opt/x --node-name q -i 192.0.2.1 -c f -o g --container-runtime-endpoint /x --demo=no".split(
      " ",
    ),
  );
  const text = problems.join("\n");
  for (const says of [
    /^--nodes: "x" is not a number of nodes \(1 to 100\)$/m,
    /^--api-port: "99999" is not a port/m,
    /^--page-port: "-1" is not a port/m,
    /^Cannot call a lab "\.\.\/x" \(--name\)/m,
    /^--cluster-cidr: Cannot read network/m,
    /^--colour is not a flag/m,
    /^--data-dir: the nodes of a lab would share \/opt\/x/m,
    /^--node-name: the lab names its nodes/m,
    /^--node-ip: the lab gives/m,
    /^--config: a lab is made from flags alone/m,
    /^--write-kubeconfig: write it out/m,
    /^--container-runtime-endpoint: the nodes of a lab would share it/m,
    /^--demo takes no value/m,
  ])
    assert.match(text, says);
  assert.equal(problems.length, 13, text);
});

test("files that all nodes read are where all of them find them", () => {
  const told = (path: string) => readLabFlags([`--flannel-conf=${path}`]).problems.join("\n");
  assert.match(
    told("net-conf.json"),
    /^--flannel-conf: the nodes of a lab do not start here; write \/.*\/net-conf\.json$/m,
  );
  assert.match(
    told("/etc/net-conf.json"),
    /have folders of their own in the place of .* put \/etc\/net-conf\.json elsewhere/,
  );
});

for (const [text, isGood] of [
  ["1", true],
  ["100", true],
  ["0", false],
  ["101", false],
  ["-1", false],
  ["1.5", false],
  ["1e1", false],
  ["0x3", false],
  [" 3", false],
] as const) {
  test(`--nodes ${JSON.stringify(text)} is ${isGood ? "good" : "refused"}`, () =>
    assert.equal(readLabFlags([`--nodes=${text}`]).problems.length, isGood ? 0 : 1));
}

for (const [argv, says] of [
  [["--nodez", "3"], /^--nodez is not a flag of up; did you mean --nodes\?$/],
  [["--node-lable=a=b"], /^--node-lable is not a flag of up; did you mean --node-label\?$/],
  [["--colour"], /^--colour is not a flag of up$/],
  [["--demo", "--disable", "coredns"], /^--demo: .*leave DNS and service routing on$/],
  [["--demo", "--disable-kube-proxy"], /^--demo: /],
] as const) {
  test(`${argv.join(" ")}: said in up's own words`, () => {
    const { problems } = readLabFlags(argv);
    assert.equal(problems.length, 1);
    assert.match(problems[0] ?? "", says);
  });
}
