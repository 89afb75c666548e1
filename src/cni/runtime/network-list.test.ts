import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNetworkList, parseSinglePlugin, withFragments } from "./network-list.ts";
import { chooseVersion, compareVersions } from "./version.ts";

const BRIDGE = { type: "bridge" };

const LISTS: readonly { name: string; json: unknown; versions?: readonly string[]; problem?: RegExp }[] = [
  { name: "one version", json: { name: "a", cniVersion: "0.4.0", plugins: [BRIDGE] }, versions: ["0.4.0"] },
  { name: "none", json: { name: "a", plugins: [BRIDGE] }, versions: ["0.1.0"] },
  {
    name: "one from the future",
    json: { name: "a", cniVersion: "9.0.0", plugins: [BRIDGE] },
    versions: ["9.0.0"],
  },
  {
    name: "several",
    json: { name: "a", cniVersion: "0.4.0", cniVersions: ["1.0.0", "0.3.1"], plugins: [BRIDGE] },
    versions: ["1.0.0", "0.4.0", "0.3.1"],
  },
  {
    name: "several, some from the future",
    json: { name: "a", cniVersion: "1.0.0", cniVersions: ["1.1.0", "1.2.0"], plugins: [BRIDGE] },
    versions: ["1.1.0", "1.0.0"],
  },
  {
    name: "all from the future",
    json: { name: "a", cniVersions: ["2.0.0"], plugins: [BRIDGE] },
    versions: ["0.1.0"],
  },
  { name: "plugins in files of their own", json: { name: "a" }, versions: ["0.1.0"] },
  { name: "no name", json: { plugins: [BRIDGE] }, problem: /^name: expected/ },
  {
    name: "a name with a path",
    json: { name: "../a", plugins: [BRIDGE] },
    problem: /^name: "..\/a" cannot be/,
  },
  { name: "no plugins", json: { name: "a", plugins: [] }, problem: /^plugins: expected/ },
  { name: "plugins that are none", json: { name: "a", plugins: {} }, problem: /^plugins: expected/ },
  { name: "a plugin without a type", json: { name: "a", plugins: [{}] }, problem: /^plugins\[0\]: type: / },
  { name: "a plugin that is text", json: { name: "a", plugins: ["x"] }, problem: /^plugins\[0\]: expected/ },
  {
    name: "capabilities that are no booleans",
    json: { name: "a", plugins: [{ ...BRIDGE, capabilities: { portMappings: "yes" } }] },
    problem: /^plugins\[0\]: capabilities.portMappings: /,
  },
  {
    name: "a number as a version",
    json: { name: "a", cniVersion: 1, plugins: [BRIDGE] },
    problem: /^cniVersion: /,
  },
  {
    name: "versions that are none",
    json: { name: "a", cniVersions: ["new"], plugins: [BRIDGE] },
    problem: /^cniVersions: "new" is no version/,
  },
  {
    name: "a flag that is a number",
    json: { name: "a", disableGC: 1, plugins: [BRIDGE] },
    problem: /^disableGC: /,
  },
  {
    name: "only inlined plugins, of which there are none",
    json: { name: "a", loadOnlyInlinedPlugins: "True" },
    problem: /^loadOnlyInlinedPlugins is true/,
  },
  { name: "a list", json: [], problem: /^expected an object/ },
  { name: "null", json: null, problem: /^expected an object/ },
];

for (const { name, json, versions, problem } of LISTS)
  test(`a list with ${name}`, () => {
    const text = JSON.stringify(json);
    if (problem) assert.throws(() => parseNetworkList(text), { name: "SyntaxError", message: problem });
    else assert.deepEqual(parseNetworkList(text).versions, versions);
  });

test("booleans may be text", () => {
  const list = parseNetworkList(
    JSON.stringify({ name: "a", disableCheck: "TRUE", disableGC: true, plugins: [BRIDGE] }),
  );
  assert.deepEqual([list.disableCheck, list.disableGc, list.loadOnlyInlinedPlugins], [true, true, false]);
});

test("one plugin's file is a list of one, and is kept as a list", () => {
  const plugin = {
    cniVersion: "0.3.1",
    name: "old",
    type: "bridge",
    capabilities: { mac: true, ips: false },
  };
  const single = parseSinglePlugin(JSON.stringify(plugin));
  assert.deepEqual(single.plugins, [{ type: "bridge", name: "old", capabilities: ["mac"], json: plugin }]);
  const kept = parseNetworkList(single.text);
  assert.deepEqual([kept.name, kept.versions, kept.plugins], ["old", ["0.3.1"], single.plugins]);
});

test("a list in a plugin's file is refused", () => {
  assert.throws(() => parseSinglePlugin(JSON.stringify({ name: "a", plugins: [BRIDGE] })), /type: expected/);
});

test("plugins of files of their own come last, and are kept", () => {
  const list = parseNetworkList(JSON.stringify({ name: "a", plugins: [BRIDGE] }));
  const whole = withFragments(list, [
    { type: "tuning", name: undefined, capabilities: [], json: { type: "tuning" } },
  ]);
  const kept = parseNetworkList(whole.text);
  assert.deepEqual(
    kept.plugins.map(({ type }) => type),
    ["bridge", "tuning"],
  );
  assert.equal(kept.loadOnlyInlinedPlugins, true);
});

test("versions are compared as numbers", () => {
  const sorted = ["1.10.0", "0.4.0", "1.2", "1.1.0", ""].sort(compareVersions);
  assert.deepEqual(sorted, ["", "0.4.0", "1.1.0", "1.2", "1.10.0"]);
});

const CHOICES: readonly (readonly [
  string,
  readonly string[],
  readonly (readonly string[] | undefined)[],
  string,
])[] = [
  ["all support the newest", ["1.1.0", "1.0.0"], [["1.0.0", "1.1.0"]], "1.1.0"],
  [
    "one supports only the older",
    ["1.1.0", "1.0.0"],
    [
      ["1.0.0", "1.1.0"],
      ["0.4.0", "1.0.0"],
    ],
    "1.0.0",
  ],
  ["nothing suits all", ["1.1.0", "1.0.0"], [["1.1.0"], ["1.0.0"]], "1.1.0"],
  ["one does not say", ["1.1.0", "1.0.0"], [undefined, ["1.0.0"]], "1.1.0"],
];

for (const [name, offered, supported, chosen] of CHOICES)
  test(`the version when ${name}`, () => assert.equal(chooseVersion(offered, supported), chosen));
