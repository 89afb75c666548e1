import assert from "node:assert/strict";
import { test } from "node:test";
import { isPacerName, pacerName, pacesOf } from "./bandwidth.ts";
import { CniFault } from "./cni-fault.ts";
import type { Bandwidth } from "./model.ts";

const cases: readonly [
  what: string,
  bandwidth: Bandwidth,
  bytesPerSecond: number,
  burst: number,
  queue: number,
][] = [
  ["what is asked", { ingressBits: 8_000_000, ingressBurstBits: 800_000 }, 1_000_000, 100_000, 125_000],
  ["a burst that suits the rate", { ingressBits: 80_000_000 }, 10_000_000, 500_000, 750_000],
  ["a burst that a segment fits in", { ingressBits: 800_000 }, 100_000, 65_536, 68_036],
  [
    "containerd's largest number",
    { ingressBits: 80_000_000, ingressBurstBits: 4_294_967_295 },
    10_000_000,
    500_000,
    750_000,
  ],
  [
    "a burst of more than the kernel counts",
    { ingressBits: 8000, ingressBurstBits: 2_000_000_000 },
    1000,
    270_000,
    270_025,
  ],
  ["a rate above four gigabytes", { ingressBits: 80e9 }, 10e9, 500e6, 750e6],
];
for (const [what, bandwidth, bytesPerSecond, burstBytes, queueBytes] of cases)
  test(`a pace with ${what}`, () => {
    const paces = pacesOf(bandwidth);
    assert.deepEqual(paces, { ingress: { bytesPerSecond, burstBytes, queueBytes }, egress: undefined });
    const { ingressBits, ingressBurstBits } = bandwidth;
    const other = {
      ...(ingressBits === undefined ? {} : { egressBits: ingressBits }),
      ...(ingressBurstBits === undefined ? {} : { egressBurstBits: ingressBurstBits }),
    };
    assert.deepEqual(pacesOf(other), { ingress: undefined, egress: paces.ingress });
  });

for (const bandwidth of [
  { ingressBits: 7 },
  { ingressBits: 1.5e300 },
  { egressBits: 8000, egressBurstBits: 3 },
])
  test(`${JSON.stringify(bandwidth)} is refused`, () => {
    assert.throws(
      () => pacesOf(bandwidth),
      (error) => error instanceof CniFault && error.code === "BadRequest",
    );
  });

test("a pacer's name is as its cable's, and known again", () => {
  const name = pacerName({ containerId: "a", ifname: "eth0" });
  assert.equal(name, "twbw49075c1f237");
  assert.ok(isPacerName(name) && !isPacerName("bwp49075c1f237") && !isPacerName("twbwx"));
});
