import assert from "node:assert/strict";
import { test } from "node:test";
import { familyOf, parseIp } from "#addr/ip";
import type { Conntrack, ConntrackFlow } from "#kernel/kernel";
import { connectionsOf } from "./connections.ts";

/** `203.0.113.9 40000 192.168.9.1 80 / 10.42.0.2 8080 10.42.0.1 5000`: as it was sent, and as it is answered. */
function flow(text: string, protocol = 6): ConntrackFlow {
  const [sent = "", answered = ""] = text.split(" / ");
  const end = (words: string) => {
    const [source = "", sourcePort, destination = "", destinationPort] = words.split(" ");
    return {
      source: parseIp(source),
      sourcePort: Number(sourcePort),
      destination: parseIp(destination),
      destinationPort: Number(destinationPort),
    };
  };
  return { family: familyOf(end(sent).source), protocol, original: end(sent), reply: end(answered) };
}

function tracking(...flows: readonly ConntrackFlow[]) {
  return {
    listFlows: ({ family, protocol, toPort }: Parameters<Conntrack["listFlows"]>[0]) =>
      flows.filter(
        (each) =>
          each.family === family &&
          each.protocol === protocol &&
          (toPort === undefined || each.original.destinationPort === toPort),
      ),
  };
}

const LOCAL = [parseIp("192.168.9.1"), parseIp("10.42.0.1")];
const SERVICE = {
  frontends: [
    { ip: parseIp("10.43.0.7"), protocol: "tcp", port: 80 },
    { ip: parseIp("192.168.9.1"), protocol: "tcp", port: 30080 },
    { ip: parseIp("fd43::7"), protocol: "tcp", port: 80 },
  ],
  localIps: LOCAL,
  hostPorts: [{ protocol: "tcp", port: 80 }],
} as const;

const seen = (...flows: readonly ConntrackFlow[]) =>
  connectionsOf(tracking(...flows), SERVICE)
    .listed.map(
      ({ client, entry, endpoint, seenAs, isMasqueraded, by }) =>
        `${client} ${entry} ${endpoint} ${seenAs} ${isMasqueraded ? "masqueraded" : "own"} ${by}`,
    )
    .sort();

test("a connection is told with what its endpoint sees", () => {
  assert.deepEqual(
    seen(
      flow("203.0.113.9 40000 192.168.9.1 30080 / 10.42.1.2 8080 10.42.0.1 5000"),
      flow("10.42.0.3 40000 10.43.0.7 80 / 10.42.0.2 8080 10.42.0.3 40000"),
      flow("fd42::3 40000 fd43::7 80 / fd42::2 8080 fd42::3 40000"),
    ),
    [
      "10.42.0.3 10.43.0.7:80 10.42.0.2:8080 10.42.0.3 own service",
      "203.0.113.9 192.168.9.1:30080 10.42.1.2:8080 10.42.0.1 masqueraded service",
      "fd42::3 [fd43::7]:80 [fd42::2]:8080 fd42::3 own service",
    ],
  );
});

test("what a pod takes by its host port is told apart", () => {
  assert.deepEqual(seen(flow("203.0.113.9 40000 192.168.9.1 80 / 10.42.0.5 80 203.0.113.9 40000")), [
    "203.0.113.9 192.168.9.1:80 10.42.0.5:80 203.0.113.9 own host-port",
  ]);
});

test("others' connections, and those that lead nowhere, are left out", () => {
  assert.deepEqual(
    seen(
      flow("203.0.113.9 40000 10.43.0.7 81 / 10.42.0.2 8080 203.0.113.9 40000"),
      flow("203.0.113.9 40000 10.43.0.7 80 / 10.42.0.2 8080 203.0.113.9 40000", 17),
      flow("203.0.113.9 40000 10.43.0.7 80 / 10.43.0.7 80 203.0.113.9 40000"),
    ),
    [],
  );
});

test("those that are asked for are told", () => {
  const flows = tracking(
    flow("203.0.113.9 40000 192.168.9.1 30080 / 10.42.1.2 8080 10.42.0.1 5000"),
    flow("203.0.113.9 40000 10.43.0.7 80 / 10.42.0.2 8080 10.42.0.1 40000"),
    flow("10.42.0.3 40000 10.43.0.7 80 / 10.42.0.2 8080 10.42.0.3 40000"),
  );
  const count = (only: Parameters<typeof connectionsOf>[2]) => connectionsOf(flows, SERVICE, only).total;
  assert.equal(count({ from: parseIp("203.0.113.9") }), 2);
  assert.equal(count({ to: parseIp("10.43.0.7") }), 2);
  assert.equal(count({ port: 30080 }), 1);
  assert.equal(count({ from: parseIp("10.42.0.3"), to: parseIp("10.43.0.7"), port: 80 }), 1);
  assert.equal(count({ from: parseIp("10.42.0.3"), port: 30080 }), 0);
});

test("a service with very many ports is told as any other", () => {
  const frontends = Array.from({ length: 100 }, (_, i) => ({
    ip: parseIp("10.43.0.7"),
    protocol: "tcp" as const,
    port: 1 + i,
  }));
  const flows = tracking(
    flow("203.0.113.9 40000 10.43.0.7 77 / 10.42.0.2 8080 10.42.0.1 5000"),
    flow("203.0.113.9 40000 10.43.0.7 101 / 10.42.0.2 8080 10.42.0.1 5000"),
  );
  assert.equal(connectionsOf(flows, { frontends, localIps: [], hostPorts: [] }).total, 1);
});

test("of very many some are listed and all are counted", () => {
  const flows = Array.from({ length: 5_000 }, (_, i) =>
    flow(`203.0.113.9 ${1_000 + i} 10.43.0.7 80 / 10.42.0.2 8080 ${i % 2 ? "10.42.0.1" : "203.0.113.9"} 9`),
  );
  const { listed, total, masqueraded } = connectionsOf(tracking(...flows), SERVICE);
  assert.deepEqual([listed.length, total, masqueraded], [200, 5_000, 2_500]);
});
