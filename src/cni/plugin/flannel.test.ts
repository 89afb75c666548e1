import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseSubnetFile } from "#wire/subnet-file";
import { readCall } from "./call.ts";
import { answerFlannel } from "./flannel.ts";
import { delegateConf, type FlannelCall } from "./flannel-conf.ts";
import { PluginError } from "./plugin-error.ts";

const SUBNET =
  "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
const SUBNETS = `${SUBNET}FLANNEL_IPV6_NETWORK=fd00:42::/56\nFLANNEL_IPV6_SUBNET=fd00:42:0:3::1/64\n`;
/** Of the list that K3s writes. */
const K3S = { delegate: { hairpinMode: true, forceAddress: true, isDefaultGateway: true } };

function callOf(command: string, config: object, env: Record<string, string> = {}): FlannelCall {
  const call = readCall({
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: "c1",
      CNI_IFNAME: "eth0",
      CNI_NETNS: "/run/netns/p",
      CNI_PATH: "/opt/cni/bin",
      ...env,
    },
    stdin: JSON.stringify({ cniVersion: "1.0.0", name: "cbr0", type: "flannel", ...config }),
  });
  assert.ok(call.verb === "FLANNEL");
  return call;
}

const confs: readonly (readonly [says: string, config: object, subnet: string, want: object])[] = [
  [
    "K3s's list",
    K3S,
    SUBNET,
    {
      ipMasq: false,
      mtu: 1450,
      isGateway: true,
      hairpinMode: true,
      forceAddress: true,
      isDefaultGateway: true,
      type: "bridge",
      name: "cbr0",
      cniVersion: "1.0.0",
      ipam: { type: "host-local", ranges: [[{ subnet: "10.42.3.0/24" }]], routes: [{ dst: "10.42.0.0/16" }] },
    },
  ],
  [
    "both families, and nobody masquerades",
    {},
    SUBNETS.replace("true", "false"),
    {
      ipMasq: true,
      mtu: 1450,
      isGateway: true,
      type: "bridge",
      name: "cbr0",
      cniVersion: "1.0.0",
      ipam: {
        type: "host-local",
        ranges: [[{ subnet: "10.42.3.0/24" }], [{ subnet: "fd00:42:0:3::/64" }]],
        routes: [{ dst: "10.42.0.0/16" }, { dst: "fd00:42::/56" }],
      },
    },
  ],
  [
    "what was chosen stays, and what the runtime says goes along",
    {
      delegate: { type: "ptp", mtu: 9000, ipMasq: true },
      ipam: { dataDir: "/x", routes: [{ dst: "192.0.2.0/24" }] },
      runtimeConfig: { mac: "02:00:00:00:00:01" },
    },
    SUBNET,
    {
      ipMasq: true,
      mtu: 9000,
      type: "ptp",
      name: "cbr0",
      cniVersion: "1.0.0",
      runtimeConfig: { mac: "02:00:00:00:00:01" },
      ipam: {
        type: "host-local",
        dataDir: "/x",
        ranges: [[{ subnet: "10.42.3.0/24" }]],
        routes: [{ dst: "192.0.2.0/24" }, { dst: "10.42.0.0/16" }],
      },
    },
  ],
];
for (const [says, config, subnet, want] of confs) {
  test(`what the other plugin is given: ${says}`, () => {
    assert.deepEqual(delegateConf(callOf("ADD", config), parseSubnetFile(subnet)), want);
  });
}

for (const [config, says] of [
  [{ delegate: { name: "x" } }, /delegate\.name .* flannel's to set/],
  [{ delegate: { ipam: {} } }, /delegate\.ipam .* flannel's to set/],
  [{ delegate: { type: 1 } }, /delegate\.type .* not a string/],
  [{ delegate: [] }, /delegate .* not an object/],
] as const) {
  test(`refused: ${JSON.stringify(config)}`, () => {
    assert.throws(
      () => delegateConf(callOf("ADD", config), parseSubnetFile(SUBNET)),
      (error) => error instanceof PluginError && says.test(error.message),
    );
  });
}
test("paths are whole ones", () => {
  assert.throws(() => callOf("ADD", { subnetFile: "subnet.env" }), /subnetFile .* whole path/);
  assert.throws(() => callOf("ADD", { dataDir: "x" }), /dataDir .* whole path/);
});

/** A machine with a subnet and a plugin that writes down how it was called. */
function openPlace(t: TestContext, script = "") {
  const dir = mkdtempSync(join(tmpdir(), "twill-flannel-"));
  t.after(() => rmSync(dir, { recursive: true }));
  for (const folder of ["bin", "run"]) mkdirSync(join(dir, folder));
  const plugin = `#!/bin/sh\ncat > ${dir}/stdin; env | grep CNI_ | sort > ${dir}/env\n${script}\n`;
  writeFileSync(join(dir, "bin/bridge"), plugin, { mode: 0o755 });
  writeFileSync(join(dir, "run/subnet.env"), SUBNET);
  const paths = { subnetFile: "/run/subnet.env", dataDir: "/data" };
  return {
    dir,
    /** The runtime's root is the folder. */
    call: async (command: string, config: object = {}, env: Record<string, string> = {}) => {
      const call = callOf(command, { ...K3S, ...paths, ...config }, { CNI_PATH: "/nowhere:/bin", ...env });
      const { exitCode, stdout } = await answerFlannel(call, (path) => `${dir}${path}`);
      const json: unknown = stdout === "" ? undefined : JSON.parse(stdout);
      return { exitCode, json: json as Record<string, unknown> | undefined };
    },
    given: () => JSON.parse(readFileSync(join(dir, "stdin"), "utf8")) as Record<string, unknown>,
    env: () => readFileSync(join(dir, "env"), "utf8"),
    kept: () => (existsSync(join(dir, "data")) ? readdirSync(join(dir, "data")) : []),
  };
}

test("ADD hands on, with paths as they are for us, and answers in the runtime's", async (t) => {
  const place = openPlace(t, `echo "{\\"interfaces\\": [{\\"sandbox\\": \\"$CNI_NETNS\\"}]}"`);
  const { exitCode, json } = await place.call("ADD");
  assert.deepEqual([exitCode, json], [0, { interfaces: [{ sandbox: "/run/netns/p" }] }]);
  assert.match(place.env(), new RegExp(`CNI_NETNS=${place.dir}/run/netns/p\n`));
  assert.match(place.env(), new RegExp(`CNI_PATH=${place.dir}/nowhere:${place.dir}/bin\n`));
  assert.equal(place.given()["mtu"], 1450);
  assert.deepEqual(place.kept(), ["c1"]);
});

test("DEL and CHECK go by what ADD was given, whatever the subnet is now", async (t) => {
  const place = openPlace(t);
  await place.call("ADD");
  const given = place.given();
  rmSync(join(place.dir, "run/subnet.env"));
  const prevResult = { interfaces: [{ sandbox: "/run/netns/p" }] };
  assert.equal((await place.call("CHECK", { prevResult })).exitCode, 0);
  assert.deepEqual(place.given()["prevResult"], { interfaces: [{ sandbox: `${place.dir}/run/netns/p` }] });
  assert.equal((await place.call("DEL")).exitCode, 0);
  assert.deepEqual(place.given(), given);
  assert.deepEqual(place.kept(), []);
  assert.equal((await place.call("DEL")).exitCode, 0, "again");
});

test("until the node has a subnet the runtime is told to try again", async (t) => {
  const place = openPlace(t);
  assert.equal((await place.call("STATUS", { cniVersion: "1.1.0" })).exitCode, 0);
  for (const text of [undefined, "FLANNEL_MTU=1450\n"]) {
    if (text === undefined) rmSync(join(place.dir, "run/subnet.env"));
    else writeFileSync(join(place.dir, "run/subnet.env"), text);
    const { exitCode, json } = await place.call("ADD");
    assert.deepEqual([exitCode, json?.["code"]], [1, 11]);
    assert.match(String(json?.["msg"]), /Cannot read this node's subnet from \/run\/subnet\.env: /);
    assert.equal((await place.call("STATUS", { cniVersion: "1.1.0" })).json?.["code"], 50);
  }
  assert.deepEqual(place.kept(), []);
});

test("the other plugin's refusal goes on in its own words, and what it left is still known", async (t) => {
  const place = openPlace(t, `echo '{"code": 7, "msg": "no"}'; exit 1`);
  assert.deepEqual(await place.call("ADD"), { exitCode: 1, json: { code: 7, msg: "no" } });
  assert.equal((await place.call("DEL")).exitCode, 1);
  assert.deepEqual(place.kept(), ["c1"]);
});

test("a plugin that is missing, dies, or is flannel itself", async (t) => {
  const place = openPlace(t, "echo oh >&2; exit 3");
  const codes = async (config: object) => (await place.call("ADD", config)).json;
  assert.match(
    String((await codes({ delegate: { type: "nothing" } }))?.["msg"]),
    /failed to find plugin "nothing"/,
  );
  assert.match(String((await codes({}))?.["msg"]), /netplugin failed: "oh"/);
  assert.match(String((await codes({ delegate: { type: "flannel" } }))?.["msg"]), /flannel itself/);
  assert.match(String((await codes({ delegate: { type: "../bridge" } }))?.["msg"]), /invalid plugin name/);
});

test("GC takes back what this network's containers left that are not among the valid ones", async (t) => {
  const place = openPlace(t);
  for (const id of ["c1", "c2", "c3"]) await place.call("ADD", {}, { CNI_CONTAINERID: id });
  await place.call("ADD", { name: "other" }, { CNI_CONTAINERID: "c4" });
  writeFileSync(join(place.dir, "data/c5"), "");
  const valid = [{ containerID: "c2", ifname: "eth0" }];
  const { exitCode } = await place.call("GC", { cniVersion: "1.1.0", "cni.dev/valid-attachments": valid });
  assert.equal(exitCode, 0);
  assert.deepEqual(place.kept(), ["c2", "c4", "c5"]);
  assert.match(place.env(), /CNI_COMMAND=DEL\nCNI_CONTAINERID=c3\n/);
});

test("whatever the configuration is, it is read or refused in the specification's words", () => {
  let seed = 14;
  const pick = <T>(from: readonly T[]): T => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return from[seed % from.length] as T;
  };
  const values = [
    null,
    true,
    1,
    "",
    "bridge",
    "/x",
    [],
    {},
    [{ dst: 1 }],
    { type: 7 },
    { ipam: null },
    { routes: {} },
  ];
  const keys = [
    "delegate",
    "ipam",
    "subnetFile",
    "dataDir",
    "runtimeConfig",
    "cniVersion",
    "prevResult",
    "__proto__",
  ];
  const subnet = parseSubnetFile(SUBNETS);
  let good = 0;
  for (let i = 0; i < 3000; i++) {
    const config = Object.fromEntries([pick(keys), pick(keys), pick(keys)].map((key) => [key, pick(values)]));
    try {
      const conf = delegateConf(
        callOf("ADD", { ...config, cniVersion: config["cniVersion"] ?? "1.0.0" }),
        subnet,
      );
      assert.equal(typeof conf.type, "string");
      good++;
    } catch (error) {
      assert.ok(error instanceof PluginError, `${JSON.stringify(config)}: ${String(error)}`);
    }
  }
  assert.ok(good > 100, String(good));
});
