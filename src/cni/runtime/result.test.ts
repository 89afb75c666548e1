import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseNetworkList, parseSinglePlugin } from "./network-list.ts";
import { failureOf } from "./plugin-answer.ts";
import { parseSupported } from "./plugin-versions.ts";
import { parseResult } from "./result.ts";
import { type CachedAttachment, decodeCached, encodeCached, ResultCache } from "./result-cache.ts";

const RESULTS: readonly {
  readonly name: string;
  readonly json: unknown;
  readonly ips?: readonly string[];
  readonly version?: string;
  readonly problem?: RegExp;
}[] = [
  {
    name: "bridge's",
    json: {
      cniVersion: "1.0.0",
      interfaces: [{ name: "cni0" }, { name: "veth1" }, { name: "eth0", sandbox: "/run/netns/x" }],
      ips: [
        { interface: 2, address: "10.42.0.2/24", gateway: "10.42.0.1" },
        { interface: 2, address: "FD00::0002/64" },
      ],
    },
    ips: ["10.42.0.2/24", "fd00::2/64"],
  },
  {
    name: "one with an address of the host's",
    json: {
      cniVersion: "0.4.0",
      interfaces: [{ name: "cni0" }, { name: "eth0", sandbox: "/x" }],
      ips: [
        { version: "4", interface: 0, address: "10.42.0.1/24" },
        { version: "4", interface: 1, address: "10.42.0.2/24" },
        { version: "4", address: "10.42.0.3/24" },
      ],
    },
    ips: ["10.42.0.2/24", "10.42.0.3/24"],
    version: "0.4.0",
  },
  {
    name: "one of old",
    json: { cniVersion: "0.2.0", ip4: { ip: "10.0.0.2/8" }, ip6: { ip: "fd00::2/64" } },
    ips: ["10.0.0.2/8", "fd00::2/64"],
    version: "0.2.0",
  },
  { name: "one without a version", json: { ips: [{ address: "10.0.0.2/8" }] }, ips: ["10.0.0.2/8"] },
  { name: "an empty one", json: {}, ips: [] },
  { name: "one with nulls", json: { ips: null, interfaces: null, dns: null }, ips: [] },
  {
    name: "one of a version that nobody knows",
    json: { cniVersion: "7.0.0" },
    problem: /^cniVersion: "7.0.0"/,
  },
  {
    name: "one with a bare address",
    json: { ips: [{ address: "10.0.0.2" }] },
    problem: /^ips\[0\].address: /,
  },
  { name: "one with text for addresses", json: { ips: "10.0.0.2/8" }, problem: /^ips: expected a list/ },
  { name: "one with a number for an address", json: { ips: [4] }, problem: /^ips\[0\]: expected an object/ },
  { name: "a list", json: [], problem: /expected an object/ },
];

for (const { name, json, ips, version = "1.0.0", problem } of RESULTS)
  test(`a result: ${name}`, () => {
    const text = JSON.stringify(json);
    if (problem)
      return assert.throws(() => parseResult(text, "1.0.0"), { name: "SyntaxError", message: problem });
    const result = parseResult(text, "1.0.0");
    assert.deepEqual([result.ips, result.version], [ips, version]);
    assert.deepEqual(result.json, { ...(json as object), cniVersion: version });
  });

const ATTACHMENT: CachedAttachment = {
  containerId: "c1",
  ifname: "eth0",
  network: "my-net",
  netns: "/run/netns/c1",
  config: '{"name":"my-net","ä":1}',
  args: [
    ["IgnoreUnknown", "1"],
    ["K8S_POD_NAME", "web"],
  ],
  capabilityArgs: { portMappings: [{ hostPort: 80 }] },
  result: { cniVersion: "1.0.0", ips: [{ address: "10.0.0.2/8" }], unknown: true },
};

function openCache(t: { after: (f: () => void) => void }) {
  const dir = join(mkdtempSync(join(tmpdir(), "twill-cache-")), "results");
  t.after(() => rmSync(join(dir, ".."), { recursive: true }));
  return { dir, cache: new ResultCache(dir) };
}

test("what is attached is written down as libcni does", (t) => {
  const { dir, cache } = openCache(t);
  cache.write(ATTACHMENT);
  assert.deepEqual(readdirSync(dir), ["my-net-c1-eth0"]);
  const path = join(dir, "my-net-c1-eth0");
  assert.deepEqual([statSync(dir).mode & 0o777, statSync(path).mode & 0o777], [0o700, 0o600]);
  assert.deepEqual(JSON.parse(readFileSync(path, "utf8")), {
    kind: "cniCacheV1",
    containerId: "c1",
    config: Buffer.from(ATTACHMENT.config).toString("base64"),
    ifName: "eth0",
    networkName: "my-net",
    netns: "/run/netns/c1",
    cniArgs: [
      ["IgnoreUnknown", "1"],
      ["K8S_POD_NAME", "web"],
    ],
    capabilityArgs: { portMappings: [{ hostPort: 80 }] },
    result: { cniVersion: "1.0.0", ips: [{ address: "10.0.0.2/8" }], unknown: true },
  });
  assert.deepEqual(cache.read("my-net", ATTACHMENT), ATTACHMENT);
  assert.deepEqual(cache.find({ containerId: "c1", ifname: "eth0" }), ATTACHMENT);
  assert.deepEqual(cache.list(), [ATTACHMENT]);
  cache.remove(ATTACHMENT);
  cache.remove(ATTACHMENT);
  assert.deepEqual(cache.list(), []);
});

test("an attachment that is only begun has no result, and none of its emptiness is written", (t) => {
  const { dir, cache } = openCache(t);
  cache.write({ ...ATTACHMENT, result: undefined, args: [], capabilityArgs: {}, netns: "" });
  const json = JSON.parse(readFileSync(join(dir, "my-net-c1-eth0"), "utf8")) as object;
  assert.deepEqual(Object.keys(json), ["kind", "containerId", "config", "ifName", "networkName"]);
});

test("a container is not taken for another one whose name ends alike", (t) => {
  const { cache } = openCache(t);
  cache.write({ ...ATTACHMENT, network: "net", containerId: "a-c1" });
  assert.equal(cache.find({ containerId: "c1", ifname: "eth0" }), undefined);
});

test("files that are of no use are passed over", (t) => {
  const { dir, cache } = openCache(t);
  cache.write(ATTACHMENT);
  for (const [name, text] of [
    ["net-empty-eth0", ""],
    ["net-null-eth0", "null"],
    ["net-old-eth0", '{"cniVersion":"0.3.1","ips":[]}'],
    [".123-c9", JSON.stringify({ kind: "cniCacheV1" })],
  ])
    writeFileSync(join(dir, name ?? ""), text ?? "");
  assert.deepEqual(cache.list(), [ATTACHMENT]);
  assert.equal(cache.read("net", { containerId: "empty", ifname: "eth0" }), undefined);
});

const ENDS: readonly (readonly [
  string,
  { stdout?: string; stderr?: string; signal?: string },
  string,
  number?,
])[] = [
  ["its own error", { stdout: '{"code":11,"msg":"try","details":"later"}' }, "try; later", 11],
  ["an error without details", { stdout: '{"code":7,"msg":"bad \\n config"}' }, "bad config", 7],
  [
    "words only",
    { stderr: "panic: nil\n\tat main" },
    'netplugin failed: "panic: nil at main": exit status 1',
  ],
  ["nothing", {}, "netplugin failed with no error message: exit status 1"],
  ["a signal", { signal: "SIGSEGV" }, "netplugin failed with no error message: signal SIGSEGV"],
  ["an empty error", { stdout: "{}" }, "netplugin failed with no error message: exit status 1"],
  [
    "rubbish",
    { stdout: "boom {" },
    'netplugin failed but error parsing its diagnostic message "boom {": exit status 1',
  ],
];

for (const [name, end, message, code] of ENDS)
  test(`a plugin that ends with ${name}`, () => {
    const fault = failureOf({ code: 1, signal: undefined, stdout: "", stderr: "", ...end });
    assert.deepEqual([fault.message, fault.pluginCode], [message, code]);
  });

test("a plugin with much to say is cut short", () => {
  const fault = failureOf({ code: 1, signal: undefined, stdout: "x".repeat(100_000), stderr: "" });
  assert.ok(fault.message.length < 1_000);
  assert.match(fault.message, /\(cut\)/);
});

test("no configuration, result or file breaks its reader", () => {
  const seeds = [
    JSON.stringify({
      name: "a",
      cniVersions: ["1.0.0"],
      plugins: [{ type: "x", capabilities: { mac: true } }],
    }),
    JSON.stringify({
      cniVersion: "0.4.0",
      interfaces: [{ sandbox: "x" }],
      ips: [{ interface: 0, address: "10.0.0.1/8" }],
    }),
    encodeCached(ATTACHMENT),
    JSON.stringify({ supportedVersions: ["0.4.0", "1.0.0"] }),
    JSON.stringify({ code: 1, msg: "x", details: { a: 1 } }),
    `{"a":${"[".repeat(5_000)}${"]".repeat(5_000)}}`,
  ];
  const readers = [
    parseNetworkList,
    parseSinglePlugin,
    decodeCached,
    (text: string) => parseResult(text, "1.0.0"),
  ];
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const pieces = ["null", "[]", "{}", "0", '"', "-1e999", "\u0000", ",", "true", '"__proto__":{},'];
  for (let round = 0; round < 1_500; round++) {
    let text = seeds[random(seeds.length)] ?? "";
    for (let edits = random(4); edits > 0; edits--) {
      const at = random(text.length + 1);
      text = text.slice(0, at) + (pieces[random(pieces.length)] ?? "") + text.slice(at + random(12));
    }
    for (const read of readers) {
      try {
        read(text);
      } catch (error) {
        assert.equal(error instanceof SyntaxError, true, `${String(error)}: ${text.slice(0, 200)}`);
      }
    }
    parseSupported(text);
    failureOf({ code: 1, signal: undefined, stdout: text, stderr: text });
  }
});
