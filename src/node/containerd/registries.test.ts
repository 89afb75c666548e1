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
import { test } from "node:test";
import { openLog } from "#telemetry/log";
import { readRegistries } from "./registries.ts";
import { placeRegistries } from "./registry-files.ts";

const FILE = `
mirrors:
  docker.io:
    endpoint:
      - "https://mirror.example:5000"
      - "http://127.0.0.1:5001/some/path"
  registry.example:
    rewrite: { "^a/(.*)": "b/$1" }
  "*":
    endpoint: ["https://cache.example"]
configs:
  "mirror.example:5000":
    auth: { username: me, password: 1234 }
    tls: { ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem, insecure_skip_verify: true }
  registry.example:
    tls: { ca_file: /ca.pem }
  plain.example:
    auth: { auth: bWU6MTIzNA== }
  docker.io:
    auth: { username: hub, password: p }
`;

test("registries become hosts.toml files and credentials", () => {
  const { hosts, configs, warnings } = readRegistries(FILE, "/etc/x.yaml");
  assert.deepEqual([...hosts.keys()], ["docker.io", "registry.example", "_default", "mirror.example:5000"]);
  assert.equal(
    hosts.get("docker.io"),
    [
      'server = "https://registry-1.docker.io/v2"',
      "",
      '[host."https://mirror.example:5000/v2"]',
      'capabilities = ["pull", "resolve"]',
      'ca = "/ca.pem"',
      'client = [["/c.pem", "/k.pem"]]',
      "skip_verify = true",
      "",
      '[host."http://127.0.0.1:5001/some/path"]',
      'capabilities = ["pull", "resolve"]',
      "override_path = true",
      "",
    ].join("\n"),
  );
  assert.equal(hosts.get("registry.example"), 'server = "https://registry.example/v2"\nca = "/ca.pem"\n');
  assert.equal(
    hosts.get("_default"),
    '[host."https://cache.example/v2"]\ncapabilities = ["pull", "resolve"]\n',
  );
  assert.deepEqual(configs, {
    "mirror.example:5000": { auth: { username: "me", password: "1234" } },
    "plain.example": { auth: { auth: "bWU6MTIzNA==" } },
    "registry-1.docker.io": { auth: { username: "hub", password: "p" } },
  });
  assert.match(warnings.join(), /registry\.example: rewrite is not supported/);
});

const bad: readonly [text: string, why: RegExp][] = [
  ["mirrors: [a]", /mirrors: expected names and values/],
  ["mirrors: { a: { endpoint: x } }", /mirrors: a: endpoint: expected a list/],
  ["mirrors: { a: { endpoint: ['ht tp://x'] } }", /Invalid URL/],
  ["{", /BadRegistries|Cannot use/],
  ["configs: { a: { auth: { username: [1] } } }", /username: expected a text/],
];
for (const [text, why] of bad) {
  test(`a bad file of registries is named: ${text}`, () => {
    assert.throws(() => readRegistries(text, "/etc/x.yaml"), {
      code: "BadRegistries",
      message: /\/etc\/x\.yaml/,
    });
    assert.throws(() => readRegistries(text, "/etc/x.yaml"), { message: why });
  });
}

test("certs.d follows the file, and what others put there stays", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "twill-registries-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const [file, certs] = [join(dir, "registries.yaml"), join(dir, "certs.d")];
  const said: string[] = [];
  const log = openLog({ write: (line) => said.push(line), level: "info" });
  placeRegistries(file, certs, log);
  assert.equal(existsSync(certs), false);
  writeFileSync(file, FILE);
  placeRegistries(file, certs, log);
  mkdirSync(join(certs, "own.example"));
  writeFileSync(join(certs, "own.example/hosts.toml"), "server = 1");
  assert.deepEqual(readdirSync(certs).sort(), [
    "_default",
    "docker.io",
    "mirror.example:5000",
    "own.example",
    "registry.example",
  ]);
  assert.match(readFileSync(join(certs, "docker.io/hosts.toml"), "utf8"), /^# Made by Twill.*\nserver/);
  writeFileSync(file, "mirrors: [");
  assert.equal(placeRegistries(file, certs, log).hosts.size, 0);
  assert.deepEqual(readdirSync(certs), ["own.example"]);
  assert.match(said.join(""), /ERROR images come from their own registries alone/);
});
