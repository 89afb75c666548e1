import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openFakeKernel } from "#kernel/fake/kernel";
import { openLog } from "#telemetry/log";
import { CONNTRACK_DEFAULTS, mostTracked, tuneConntrack } from "./conntrack-settings.ts";

const at = (name: string) => `net/netfilter/nf_conntrack_${name}`;

function tune(settings: Partial<typeof CONNTRACK_DEFAULTS>, kernel = openFakeKernel()) {
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "debug" });
  tuneConntrack({ ...CONNTRACK_DEFAULTS, ...settings }, { sysctl: kernel.sysctl, cores: 8, log });
  const read = (name: string) => kernel.sysctl.read(at(name));
  return { read, lines };
}

describe("how many connections are tracked", () => {
  for (const [settings, cores, want] of [
    [{}, 1, 131_072],
    [{}, 8, 262_144],
    [{}, 64, 1_048_576],
    [{ maxPerCore: 0 }, 8, 0],
    [{ maxPerCore: 1000, min: 5000 }, 4, 5000],
    [{ maxPerCore: 1, min: 2_000_000 }, 4, 2_000_000],
  ] as const)
    test(`${JSON.stringify(settings)} on ${cores} processors`, () =>
      assert.equal(mostTracked({ ...CONNTRACK_DEFAULTS, ...settings }, cores), want));
});

test("what kube-proxy sets is set", () => {
  const { read, lines } = tune({ tcpBeLiberal: true, udpSeconds: 10 });
  const names = ["max", "buckets", "tcp_timeout_established", "tcp_timeout_close_wait", "tcp_be_liberal"];
  assert.deepEqual([...names, "udp_timeout", "udp_timeout_stream"].map(read), [
    "262144",
    "65536",
    "86400",
    "3600",
    "1",
    "10",
    "0",
  ]);
  assert.deepEqual(lines, []);
});

test("a limit that somebody made higher stays, unless a flag says otherwise", () => {
  const kernel = openFakeKernel();
  kernel.sysctl.write(at("max"), 1_000_000);
  assert.equal(tune({}, kernel).read("max"), "1000000");
  assert.equal(tune({ min: 1, lowersMax: true }, kernel).read("max"), "262144");
});

test("what may not be written is told once, and the rest is written", () => {
  const kernel = openFakeKernel();
  kernel.fail("write", "EACCES");
  const { read, lines } = tune({}, kernel);
  assert.equal(read("tcp_timeout_established"), "86400");
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /DEBUG connection tracking stays as it is in part .*nf_conntrack_max/);
});
