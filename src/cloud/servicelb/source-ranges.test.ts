import assert from "node:assert/strict";
import { test } from "node:test";
import { sourceRanges } from "./source-ranges.ts";

const annotation = "service.beta.kubernetes.io/load-balancer-source-ranges";
const both = ["IPv4", "IPv6"];

for (const { ranges, noted, families = ["IPv4"], expected } of [
  { expected: "0.0.0.0/0" },
  { families: both, expected: "0.0.0.0/0,::/0" },
  { families: ["IPv6"], expected: "0.0.0.0/0,::/0" },
  { ranges: ["192.0.2.0/24"], families: both, expected: "192.0.2.0/24" },
  { ranges: ["192.0.2.7/24", "192.0.2.0/24", " 2001:db8::/32"], expected: "192.0.2.0/24,2001:db8::/32" },
  { noted: "192.0.2.0/24, 198.51.100.0/24", expected: "192.0.2.0/24,198.51.100.0/24" },
  { noted: " ", expected: "0.0.0.0/0" },
  { ranges: ["192.0.2.0/24"], noted: "198.51.100.0/24", expected: "192.0.2.0/24" },
  {
    noted: "no network",
    expected: /^service.beta.kubernetes.io.*: no network is not valid. Expecting a comma/,
  },
  { noted: "10.0.0.0/8,\n\u001b[31m", expected: /: 10.0.0.0\/8,\\u\{a\}\\u\{1b\}\[31m is not valid/ },
  {
    ranges: ["10.0.0.0/40"],
    expected: /^service.Spec.LoadBalancerSourceRanges: \[10.0.0.0\/40\] is not valid/,
  },
] as const)
  test(`${ranges ?? noted ?? "nothing"} for ${families} is ${expected}`, () => {
    const service = {
      metadata: { name: "web", ...(noted ? { annotations: { [annotation]: noted } } : {}) },
      spec: { ipFamilies: families, ...(ranges ? { loadBalancerSourceRanges: ranges } : {}) },
    };
    if (expected instanceof RegExp) assert.throws(() => sourceRanges(service), { message: expected });
    else assert.equal(sourceRanges(service), expected);
  });
