import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import type { ConntrackFlow } from "#kernel/kernel";
import { type UdpAnswerers, udpKey } from "./model.ts";
import { isStale } from "./stale-flows.ts";

const SERVICE = parseIp("10.43.0.10");
const answerers: UdpAnswerers = new Map([
  [udpKey(SERVICE, 53), new Set([udpKey(parseIp("10.42.1.3"), 5353)])],
]);

const cases = [
  { name: "answered by an endpoint", to: "10.43.0.10", port: 53, by: "10.42.1.3", stale: false },
  { name: "answered by one that is gone", to: "10.43.0.10", port: 53, by: "10.42.1.2", stale: true },
  {
    name: "answered at a port that is gone",
    to: "10.43.0.10",
    port: 53,
    by: "10.42.1.3",
    at: 5354,
    stale: true,
  },
  { name: "made before there was an endpoint", to: "10.43.0.10", port: 53, by: "10.43.0.10", stale: true },
  { name: "to another port", to: "10.43.0.10", port: 54, by: "10.42.1.2", stale: false },
  { name: "to another address", to: "10.43.0.11", port: 53, by: "10.42.1.2", stale: false },
];

for (const { name, to, port, by, at = 5353, stale } of cases)
  test(`a connection ${name} is ${stale ? "forgotten" : "kept"}`, () => {
    const client = parseIp("10.42.0.2");
    const flow: ConntrackFlow = {
      family: 4,
      protocol: 17,
      original: { source: client, destination: parseIp(to), sourcePort: 5000, destinationPort: port },
      reply: { source: parseIp(by), destination: client, sourcePort: at, destinationPort: 5000 },
    };
    assert.equal(isStale(flow, answerers), stale);
  });
