import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseSets, portBackends } from "./endpoints.ts";
import type { Place } from "./model.ts";
import { type EndpointShape, sliceObject } from "./testing/objects.ts";

const PLACE: Place = { nodeName: "here", zone: "z1", localIps: [], nodeIps: [], nodePortIps: [] };
const leaving = { ready: false, serving: true, terminating: true };
const gone = { ready: false, serving: false, terminating: true };
const waiting = { ready: false, serving: false, terminating: false };
const zone = (name: string) => ({ hints: { forZones: [{ name }] } });
const node = (name: string) => ({ hints: { forNodes: [{ name }], forZones: [{ name: "z1" }] } });
const here = { nodeName: "here" };

interface Case {
  readonly name: string;
  readonly endpoints: readonly EndpointShape[];
  readonly cluster: readonly number[];
  readonly local?: readonly number[];
  readonly hasAny?: boolean;
}

const endpoint = (n: number, more: Omit<EndpointShape, "ip"> = {}): EndpointShape => ({
  ip: `10.42.0.${n}`,
  ...more,
});

const cases: readonly Case[] = [
  { name: "none", endpoints: [], cluster: [], hasAny: false },
  { name: "conditions left out mean ready", endpoints: [endpoint(1)], cluster: [1] },
  {
    name: "not ready and not serving are never used",
    endpoints: [endpoint(1, { conditions: waiting, ...here }), endpoint(2, { conditions: gone, ...here })],
    cluster: [],
    hasAny: false,
  },
  {
    name: "leaving ones wait for the last ready one to go",
    endpoints: [endpoint(1, { conditions: leaving }), endpoint(2)],
    cluster: [2],
  },
  { name: "leaving ones serve alone", endpoints: [endpoint(1, { conditions: leaving })], cluster: [1] },
  {
    name: "a leaving local one serves policy Local beside ready remote ones",
    endpoints: [endpoint(1, { conditions: leaving, ...here }), endpoint(2)],
    cluster: [2],
    local: [1],
  },
  {
    name: "a ready local one spares the leaving local one",
    endpoints: [endpoint(1, { conditions: leaving, ...here }), endpoint(2, here)],
    cluster: [2],
    local: [2],
  },
  {
    name: "zone hints keep traffic near",
    endpoints: [endpoint(1, zone("z1")), endpoint(2, zone("z2"))],
    cluster: [1],
  },
  {
    name: "one endpoint without a hint disables them",
    endpoints: [endpoint(1, zone("z1")), endpoint(2)],
    cluster: [1, 2],
  },
  {
    name: "hints for other zones alone are disregarded",
    endpoints: [endpoint(1, zone("z2")), endpoint(2, zone("z3"))],
    cluster: [1, 2],
  },
  {
    name: "node hints come before zone hints",
    endpoints: [endpoint(1, node("here")), endpoint(2, node("there"))],
    cluster: [1],
  },
  {
    name: "node hints for other nodes fall back to the zone",
    endpoints: [endpoint(1, node("there")), endpoint(2, node("elsewhere"))],
    cluster: [1, 2],
  },
  {
    name: "hints do not apply to leaving ones, nor to policy Local",
    endpoints: [
      endpoint(1, { conditions: leaving, ...zone("z2") }),
      endpoint(2, { conditions: leaving, ...zone("z1"), ...here }),
    ],
    cluster: [1, 2],
    local: [2],
  },
];

const port = { name: "", protocol: "tcp" } as const;

for (const { name, endpoints, cluster, local = [], hasAny = true } of cases)
  test(name, () => {
    const { all } = portBackends([sliceObject({ endpoints })], port, { family: 4, place: PLACE });
    const sets = chooseSets(all, PLACE);
    const last = (list: typeof all) => list.map(({ ip }) => Number(ip.split(".").at(-1)));
    assert.deepEqual(last(sets.cluster), cluster);
    assert.deepEqual(last(sets.local), local);
    assert.equal(sets.hasAny, hasAny);
  });

test("an endpoint in two slices counts once, and the local copy wins", () => {
  const slices = [
    sliceObject({ name: "one", endpoints: [endpoint(1), endpoint(2)] }),
    sliceObject({ name: "two", endpoints: [endpoint(1, here)] }),
  ];
  const { all } = portBackends(slices, port, { family: 4, place: PLACE });
  assert.deepEqual(
    all.map(({ ip, isLocal }) => [ip, isLocal]),
    [
      ["10.42.0.1", true],
      ["10.42.0.2", false],
    ],
  );
});

test("ports match by name and protocol; other families and first addresses only", () => {
  const ports = [
    { name: "web", port: 8080, protocol: "TCP" },
    { name: "web", port: 8081, protocol: "UDP" },
    { name: "off", protocol: "TCP" },
  ];
  const slices = [
    sliceObject({ ports, endpoints: [endpoint(1)] }),
    sliceObject({ ports, endpoints: [endpoint(2)] }, 6),
    { ...sliceObject({ ports, endpoints: [endpoint(3)] }), addressType: "FQDN" },
  ];
  const at = { family: 4, place: PLACE } as const;
  const found = (name: string, protocol: "tcp" | "udp") =>
    portBackends(slices, { name, protocol }, at).all.map(({ ip, port }) => `${ip}:${port}`);
  assert.deepEqual(found("web", "tcp"), ["10.42.0.1:8080"]);
  assert.deepEqual(found("web", "udp"), ["10.42.0.1:8081"]);
  assert.deepEqual(found("off", "tcp"), []);
  assert.deepEqual(found("", "tcp"), []);
});

test("who may answer includes those that leave, but not those that are gone", () => {
  const endpoints = [endpoint(1), endpoint(2, { conditions: leaving }), endpoint(3, { conditions: gone })];
  const { serving } = portBackends([sliceObject({ endpoints })], port, { family: 4, place: PLACE });
  assert.deepEqual([...serving], ["10.42.0.1 . 8080", "10.42.0.2 . 8080"]);
});
