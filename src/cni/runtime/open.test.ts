import assert from "node:assert/strict";
import {
  chmodSync,
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
import { systemClock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import type { PodAttachRequest } from "../pod-attachment.ts";
import { openCniRuntime } from "./open.ts";

const DEADLINE_MS = 10_000;

/** Says what it supports; notes verb, container and standard input; prints a result; fails where a file says so. */
const STAND_IN = `#!/bin/sh
dir=$(dirname "$0")/..
name=$(basename "$0")
if [ "$CNI_COMMAND" = VERSION ]; then
  echo asked >> "$dir/versions-$name"
  echo '{"cniVersion":"1.1.0","supportedVersions":["0.4.0","1.0.0"'$(cat "$dir/also" 2>/dev/null)']}'
  exit 0
fi
input=$(cat)
echo "$CNI_COMMAND $name $CNI_CONTAINERID $input" >> "$dir/calls"
if [ -e "$dir/fail-$CNI_COMMAND" ]; then
  echo '{"code":50,"msg":"the fabric is down"}'
  exit 1
fi
[ "$CNI_COMMAND" != ADD ] || echo '{"ips":[{"address":"10.9.0.2/24"}],"by":"'$name'"}'
`;

function openNode(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "twill-runtime-"));
  const stop = new AbortController();
  t.after(() => {
    stop.abort();
    rmSync(dir, { recursive: true });
  });
  mkdirSync(join(dir, "bin"));
  for (const name of ["first", "second"]) {
    writeFileSync(join(dir, "bin", name), STAND_IN);
    chmodSync(join(dir, "bin", name), 0o755);
  }
  const at = (name: string) => join(dir, name);
  return {
    at,
    touch: (name: string, text = "") => writeFileSync(at(name), text),
    configure: (more: object) =>
      writeFileSync(
        at("net.d/10.conflist"),
        JSON.stringify({
          name: "net",
          cniVersion: "1.0.0",
          plugins: [{ type: "first" }, { type: "second" }],
          ...more,
        }),
      ),
    open: () =>
      openCniRuntime({
        confDir: at("net.d"),
        binDirs: [at("bin")],
        cacheDir: at("cni"),
        clock: systemClock,
        log: silentLog,
        signal: stop.signal,
      }),
    /** `ADD first a`, and what it read. */
    calls: () =>
      (existsSync(at("calls")) ? readFileSync(at("calls"), "utf8") : "")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const [verb = "", name = "", id = "", ...input] = line.split(" ");
          return {
            call: `${verb} ${name} ${id}`.trim(),
            input: JSON.parse(input.join(" ")) as Record<string, unknown>,
          };
        }),
  };
}

function podOf(containerId: string): PodAttachRequest {
  return {
    containerId,
    ifname: "eth0",
    netns: "/proc/self/ns/net",
    podName: "web",
    podNamespace: "default",
    podUid: "u",
    portMappings: [],
    annotations: {},
  };
}

async function until(what: string, probe: () => boolean): Promise<void> {
  for (const end = Date.now() + DEADLINE_MS; !probe(); ) {
    assert.ok(Date.now() < end, `waited too long: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a network that appears, changes and goes is told of", async (t) => {
  const node = openNode(t);
  const runtime = node.open();
  const told: (string | undefined)[] = [];
  runtime.subscribe(() => told.push(runtime.complaint()));
  assert.equal(
    runtime.complaint(),
    `cni plugin not initialized: no network config found in ${node.at("net.d")}`,
  );
  await assert.rejects(runtime.add(podOf("a")), { code: "NotInitialized" });
  node.configure({});
  await until("there is a network", () => runtime.complaint() === undefined);
  node.touch("net.d/00.conf", "{");
  await until("the broken file is told of", () => /00\.conf/.test(runtime.complaint() ?? ""));
  rmSync(node.at("net.d"), { recursive: true });
  await until("it is gone", () => /no network config found/.test(runtime.complaint() ?? ""));
  mkdirSync(node.at("net.d"));
  node.configure({});
  await until("the folder that was made again is seen", () => runtime.complaint() === undefined);
  assert.equal(told.length, 4);
});

test("plugins are run forward and backward, each with the result it should see", async (t) => {
  const node = openNode(t);
  mkdirSync(node.at("net.d"));
  node.configure({});
  const runtime = node.open();
  const { ips } = await runtime.add(podOf("a"));
  assert.deepEqual(ips, ["10.9.0.2/24"]);
  await runtime.check(podOf("a"));
  rmSync(node.at("net.d/10.conflist"));
  await runtime.remove(podOf("a"));
  const result = (by: string) => ({ cniVersion: "1.0.0", ips: [{ address: "10.9.0.2/24" }], by });
  assert.deepEqual(
    node.calls().map(({ call, input }) => [call, input["prevResult"]]),
    [
      ["ADD first a", undefined],
      ["ADD second a", result("first")],
      ["CHECK first a", result("second")],
      ["CHECK second a", result("second")],
      ["DEL second a", result("second")],
      ["DEL first a", result("second")],
    ],
  );
  assert.deepEqual(readdirSync(node.at("cni/results")), []);
  assert.equal(existsSync(node.at("versions-first")), false); // There was nothing to choose.
});

test("the newest version that all plugins support is spoken, and they are asked once", async (t) => {
  const node = openNode(t);
  mkdirSync(node.at("net.d"));
  node.configure({ cniVersion: "0.4.0", cniVersions: ["1.0.0", "1.1.0"] });
  const runtime = node.open();
  await Promise.all(["a", "b", "c"].map((id) => runtime.add(podOf(id))));
  assert.deepEqual(new Set(node.calls().map(({ input }) => input["cniVersion"])), new Set(["1.0.0"]));
  assert.equal(readFileSync(node.at("versions-first"), "utf8"), "asked\n");
  node.touch("also", ',"1.1.0"'); // They are replaced by others, which support more.
  for (const name of ["first", "second"]) node.touch(`bin/${name}`, `${STAND_IN}\n# 2\n`);
  await runtime.add(podOf("d"));
  assert.equal(node.calls().at(-1)?.input["cniVersion"], "1.1.0");
});

test("what is left over is removed, and plugins are told what is not", async (t) => {
  const node = openNode(t);
  mkdirSync(node.at("net.d"));
  node.configure({ cniVersion: "1.1.0" });
  const runtime = node.open();
  for (const id of ["a", "b"]) await runtime.add(podOf(id));
  node.touch(
    "cni/results/podman-x-eth0", // Another one's container.
    JSON.stringify({
      kind: "cniCacheV1",
      containerId: "x",
      ifName: "eth0",
      networkName: "podman",
      config: "",
    }),
  );
  const collected = runtime.collect(new Set(["b"]));
  await Promise.all([collected, runtime.add(podOf("c"))]);
  const calls = node.calls().filter(({ call }) => !/^(STATUS|ADD)/.test(call));
  const valid = [{ containerID: "b", ifname: "eth0" }];
  assert.deepEqual(
    calls.map(({ call, input }) => [call, input["cni.dev/valid-attachments"]]),
    [
      ["DEL second a", undefined],
      ["DEL first a", undefined],
      ["GC first", valid],
      ["GC second", valid],
    ],
  );
  assert.deepEqual(readdirSync(node.at("cni/results")).sort(), ["net-b-eth0", "net-c-eth0", "podman-x-eth0"]);
});

test("a network that says it cannot serve keeps the node from being ready", async (t) => {
  const node = openNode(t);
  node.touch("fail-STATUS");
  mkdirSync(node.at("net.d"));
  node.configure({ cniVersion: "1.1.0" });
  const runtime = node.open();
  await until("it is told", () => runtime.complaint() !== undefined);
  assert.equal(runtime.complaint(), 'plugin type="first" failed (status): the fabric is down');
  rmSync(node.at("fail-STATUS"));
  node.configure({ cniVersion: "1.0.0" }); // Of this version nobody is asked.
  await until("nothing stands in the way", () => runtime.complaint() === undefined);
});

test("ids and names that could be paths are refused", async (t) => {
  const runtime = openNode(t).open();
  for (const change of [
    { containerId: "../a" },
    { containerId: "" },
    { ifname: "a/b" },
    { ifname: "x".repeat(16) },
  ])
    await assert.rejects(
      runtime.add({ ...podOf("a"), ...change }),
      { code: "BadRequest" },
      JSON.stringify(change),
    );
});
