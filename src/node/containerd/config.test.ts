import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfigFacts, renderConfig } from "./config.ts";
import { placesOf } from "./places.ts";
import { fillTemplate } from "./template.ts";
import { parseVersion } from "./version.ts";

const golden = (name: string) => `${import.meta.dirname}/testdata/${name}`;

function facts(version: string, other: Partial<ConfigFacts> = {}): ConfigFacts {
  const parsed = parseVersion(`containerd github.com/containerd/containerd ${version} abc`);
  assert.ok(parsed);
  return {
    places: placesOf({ dataDir: "/var/lib/rancher/k3s" }),
    version: parsed,
    snapshotter: "overlayfs",
    sandboxImage: "docker.io/twill/pause:1",
    cni: { binDir: "/var/lib/rancher/k3s/data/cni", confDir: "/var/lib/rancher/k3s/agent/etc/cni/net.d" },
    mayLowerOomScore: true,
    streamPort: 10010,
    registryConfigs: {},
    ...other,
  };
}

const configs: readonly [file: string, facts: ConfigFacts][] = [
  ["config-1.6.toml", facts("1.6.20~ds1")],
  ["config-1.7.toml", facts("v1.7.28", { snapshotter: "native", mayLowerOomScore: false })],
  ["config-2.0.toml", facts("v2.0.5", { cni: undefined })],
  ["config-2.1.toml", facts("v2.1.4", { registryConfigs: { "r.example": { auth: { username: "me" } } } })],
];
for (const [file, given] of configs) {
  test(`the configuration for containerd ${given.version.text}`, (t) => {
    t.assert.fileSnapshot(renderConfig(given), golden(file), { serializers: [String] });
  });
}

test("a socket whose path the kernel could not hold is refused, and says by how much", () => {
  assert.throws(() => placesOf({ dataDir: "/d", stateDir: `/${"s".repeat(100)}` }), {
    code: "BadPlace",
    message: /at most 107 bytes.*16 more/,
  });
  assert.ok(placesOf({ dataDir: "/d", stateDir: `/${"s".repeat(84)}` }));
});

const versions: readonly [said: string, text: string | undefined][] = [
  ["containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", "1.6.20~ds1"],
  [
    "containerd github.com/containerd/containerd/v2 v2.1.4 75cb2b7193e4e490e9fbdc236c0e811ccaba3376\n",
    "2.1.4",
  ],
  ["containerd github.com/k3s-io/containerd v1.7.23-k3s2 ", "1.7.23-k3s2"],
  ["runc version 1.1.5", undefined],
  ["", undefined],
];
for (const [said, text] of versions) {
  test(`the version in ${JSON.stringify(said)}`, () => assert.equal(parseVersion(said)?.text, text));
}

test("a containerd that does not speak CRI v1 is refused", () => {
  assert.throws(() => parseVersion("containerd x v1.5.9 abc"), {
    code: "BadContainerd",
    message: /1\.5\.9.*1\.6/,
  });
});

test("a template stands around the base, and says what it cannot do", () => {
  assert.equal(fillTemplate("t", 'a\n{{ template "base" . }}\nb', "x$&\n"), "a\nx$&\n\nb");
  assert.equal(fillTemplate("t", "version = 2\n", "x"), "version = 2\n");
  assert.throws(() => fillTemplate("/etc/t", "{{ .NodeConfig.Root }}", "x"), {
    code: "BadTemplate",
    message: /\/etc\/t.*\{\{ \.NodeConfig\.Root \}\}/,
  });
});
