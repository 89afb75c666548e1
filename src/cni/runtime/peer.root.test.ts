/** The same network run by libcni, through its own `cnitool`, and by Twill: plugins must see no difference, and neither must
 *  whoever reads the cache. `TWILL_CNITOOL` names the tool, built with
 *  `go install github.com/containernetworking/cni/cnitool@v1.3.1`; without it this is skipped. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLog } from "#telemetry/log";
import { Attachments } from "./attachments.ts";
import { parseNetworkList } from "./network-list.ts";
import { PluginVersions } from "./plugin-versions.ts";
import { ResultCache } from "./result-cache.ts";

const CNITOOL = process.env["TWILL_CNITOOL"];
const NETNS = "/proc/self/ns/net";
const ARGS = [
  ["IgnoreUnknown", "1"],
  ["K8S_POD_NAME", "web"],
] as const;
const CAPABILITY_ARGS = {
  portMappings: [{ hostPort: 80, containerPort: 8080, protocol: "tcp" }],
  mac: "02:00:00:00:00:01",
  unused: true,
};

function listOf(cniVersion: string) {
  return {
    cniVersion,
    name: "peer",
    plugins: [
      { type: "first", capabilities: { mac: true, ips: true }, ipam: { type: "host-local" }, mtu: 1400 },
      { type: "second", name: "own", capabilities: { portMappings: true, unused: false } },
      { type: "third", text: "<&> ü" },
    ],
  };
}

/** Writes down what it is started with, and answers like a plugin. */
function recorder(type: string, cniVersion: string): string {
  const result = JSON.stringify({
    cniVersion,
    interfaces: [{ name: "eth0", mac: "02:00:00:00:00:01", sandbox: NETNS }],
    ips: [
      {
        ...(cniVersion < "1" ? { version: "4" } : {}),
        address: "10.0.0.2/24",
        gateway: "10.0.0.1",
        interface: 0,
      },
    ],
    routes: [{ dst: "0.0.0.0/0" }],
    dns: { nameservers: ["10.43.0.10"] },
  });
  return `#!/bin/sh
out="\${CNI_PATH%%:*}/../records"
n=$(ls "$out" | wc -l)
file="$out/$(printf %02d "$n")-${type}-$CNI_COMMAND"
env | grep '^CNI_' | sort > "$file.env"
cat > "$file.json"
[ "$CNI_COMMAND" != ADD ] || echo '${result}'
`;
}

function openSide(cniVersion: string) {
  const dir = mkdtempSync(join(tmpdir(), "twill-peer-"));
  for (const name of ["bin", "records", "net.d"]) mkdirSync(join(dir, name));
  for (const type of ["first", "second", "third"]) {
    writeFileSync(join(dir, "bin", type), recorder(type, cniVersion));
    chmodSync(join(dir, "bin", type), 0o755);
  }
  writeFileSync(join(dir, "net.d", "10.conflist"), JSON.stringify(listOf(cniVersion)));
  const records = () =>
    readdirSync(join(dir, "records"))
      .sort()
      .map((name) => {
        const text = readFileSync(join(dir, "records", name), "utf8").replaceAll(dir, "DIR");
        return [name, name.endsWith(".json") ? JSON.parse(text) : text.trim().split("\n").filter(isSet)];
      });
  return { dir, records };
}

/** Both leave out what does not apply, or say that it is empty. */
function isSet(line: string): boolean {
  return !line.endsWith("=");
}

/** Runs the tool's verbs where its cache is nobody else's. @returns the cache after each verb */
function runPeer(dir: string, verbs: readonly string[]): readonly unknown[] {
  return JSON.parse(
    `[${verbs
      .map((verb, i) => {
        const script = `mount --bind ${dir}/lib /var/lib && "$0" ${verb} peer ${NETNS} >/dev/null && cat /var/lib/cni/results/* 2>/dev/null || true`;
        mkdirSync(join(dir, "lib"), { recursive: true });
        const ran = spawnSync("unshare", ["--mount", "sh", "-c", script, CNITOOL ?? ""], {
          encoding: "utf8",
          env: {
            PATH: process.env["PATH"],
            NETCONFPATH: join(dir, "net.d"),
            CNI_PATH: join(dir, "bin"),
            CAP_ARGS: JSON.stringify(CAPABILITY_ARGS),
            CNI_ARGS: ARGS.map((pair) => pair.join("=")).join(";"),
          },
        });
        assert.equal(ran.stderr, "", `${i}: ${verb}`);
        return ran.stdout === "" ? "null" : ran.stdout;
      })
      .join()}]`,
  ) as unknown[];
}

async function runOurs(
  dir: string,
  cniVersion: string,
  verbs: readonly string[],
): Promise<readonly unknown[]> {
  const timeoutMs = 10_000;
  const attachments = new Attachments({
    binDirs: [join(dir, "bin")],
    cache: new ResultCache(join(dir, "results")),
    versions: new PluginVersions({ timeoutMs }),
    timeoutMs,
    log: silentLog,
  });
  const list = parseNetworkList(readFileSync(join(dir, "net.d", "10.conflist"), "utf8"));
  const hash = createHash("sha512").update(NETNS).digest("hex").slice(0, 20);
  const attached = {
    containerId: `cnitool-${hash}`,
    ifname: "eth0",
    netns: NETNS,
    args: ARGS,
    capabilityArgs: CAPABILITY_ARGS,
  };
  const caches: unknown[] = [];
  for (const verb of verbs) {
    if (verb === "add") await attachments.add(list, attached);
    if (verb === "check") await attachments.check(list, attached);
    if (verb === "del") await attachments.remove(list, attached);
    if (verb === "status") await attachments.status(list);
    const [name] = readdirSync(join(dir, "results"));
    caches.push(name === undefined ? null : JSON.parse(readFileSync(join(dir, "results", name), "utf8")));
  }
  assert.equal(cniVersion, list.versions[0]);
  return caches;
}

for (const cniVersion of ["0.3.1", "0.4.0", "1.0.0", "1.1.0"])
  test(`libcni and Twill run a network of version ${cniVersion} alike`, {
    skip: CNITOOL ? false : "no TWILL_CNITOOL",
  }, async (t) => {
    const verbs = [
      "add",
      ...(cniVersion === "0.3.1" ? [] : ["check"]),
      ...(cniVersion === "1.1.0" ? ["status"] : []),
      "del",
    ];
    const [peer, ours] = [openSide(cniVersion), openSide(cniVersion)];
    t.after(() => {
      for (const { dir } of [peer, ours]) rmSync(dir, { recursive: true });
    });
    const caches = [runPeer(peer.dir, verbs), await runOurs(ours.dir, cniVersion, verbs)];
    assert.deepEqual(ours.records(), peer.records());
    assert.deepEqual(caches[1], caches[0]);
    assert.ok(peer.records().length >= 12);
  });
