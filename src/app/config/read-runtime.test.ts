import assert from "node:assert/strict";
import { test } from "node:test";
import type { RuntimeChoice } from "./config.ts";
import { readServerConfig } from "./read-config.ts";

const env = { K3S_CONFIG_FILE: "/dev/null" };
const read = (...argv: readonly string[]) => readServerConfig(["--node-name", "n", ...argv], env);

const good: readonly [argv: readonly string[], choice: RuntimeChoice][] = [
  [[], { kind: "found" }],
  [["--runtime", "process"], { kind: "process" }],
  [["--runtime=containerd"], { kind: "containerd" }],
  [["--container-runtime-endpoint", "unix:///run/c.sock"], { kind: "endpoint", socket: "/run/c.sock" }],
  [["--container-runtime-endpoint", "/run/c.sock"], { kind: "endpoint", socket: "/run/c.sock" }],
];
for (const [argv, choice] of good) {
  test(`runtime of ${JSON.stringify(argv.join(" "))}`, () => {
    const reading = read(...argv);
    assert.equal(reading.kind, "good");
    assert.deepEqual(reading.kind === "good" && reading.config.node.runtime, choice);
  });
}

const bad: readonly [argv: readonly string[], why: RegExp][] = [
  [["--runtime", "docker"], /"docker" is not a runtime; use process or containerd/],
  [["--container-runtime-endpoint", "tcp://1.2.3.4"], /"tcp:\/\/1\.2\.3\.4" is not a socket/],
  [["--runtime", "process", "--container-runtime-endpoint", "/x"], /leave one of the two out/],
];
for (const [argv, why] of bad) {
  test(`refused: ${argv.join(" ")}`, () => {
    const reading = read(...argv);
    assert.match(reading.kind === "bad" ? reading.problems.join("\n") : "", why);
  });
}
