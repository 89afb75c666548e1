import assert from "node:assert/strict";
import { test } from "node:test";
import { podBandwidth } from "./network-request.ts";

const INGRESS = "kubernetes.io/ingress-bandwidth";
const EGRESS = "kubernetes.io/egress-bandwidth";

const LIMITS: readonly {
  readonly annotations: Readonly<Record<string, string>>;
  readonly limits?: object | undefined;
  readonly problem?: RegExp;
}[] = [
  { annotations: { other: "1M" }, limits: undefined },
  { annotations: { [INGRESS]: "10M" }, limits: { ingressBits: 10_000_000 } },
  { annotations: { [INGRESS]: "1k", [EGRESS]: "1P" }, limits: { ingressBits: 1_000, egressBits: 1e15 } },
  { annotations: { [EGRESS]: "1Mi" }, limits: { egressBits: 1_048_576 } },
  {
    annotations: { [EGRESS]: "999" },
    problem: /egress-bandwidth: "999": resource is unreasonably small \(< 1kbit\)/,
  },
  { annotations: { [INGRESS]: "2P" }, problem: /resource is unreasonably large \(> 1Pbit\)/ },
  { annotations: { [INGRESS]: "-1M" }, problem: /unreasonably small/ },
  { annotations: { [INGRESS]: "fast" }, problem: /"fast": it is no quantity/ },
  { annotations: { [INGRESS]: "" }, problem: /"": it is no quantity/ },
];

for (const { annotations, limits, problem } of LIMITS)
  test(`the limits that ${JSON.stringify(annotations)} asks for`, () => {
    if (problem)
      assert.throws(() => podBandwidth(annotations), { code: "InvalidBandwidth", message: problem });
    else assert.deepEqual(podBandwidth(annotations), limits);
  });
