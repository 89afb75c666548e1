import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Endpoint, EndpointSlice, Node } from "#kube/generated/types";
import { isAuto, withAutoHints } from "./hints.ts";
import { topologyOf } from "./topology.ts";

const ZONE = "topology.kubernetes.io/zone";

function node(
  zone: string | undefined,
  cpu = "4",
  more: { ready?: boolean; labels?: Record<string, string> } = {},
): Node {
  const labels = { ...(zone ? { [ZONE]: zone } : {}), ...more.labels };
  const status = more.ready === false ? "False" : "True";
  return {
    metadata: { name: "n", labels },
    status: { allocatable: { cpu }, conditions: [{ type: "Ready", status }] },
  };
}

function endpoints(zones: string): Endpoint[] {
  return [...zones].map((zone, i) => ({
    addresses: [`10.42.0.${i}`],
    conditions: { ready: true },
    ...(zone === "-" ? {} : { zone }),
  }));
}

function hints(groups: readonly { readonly endpoints: readonly Endpoint[] }[]): string {
  return groups
    .flatMap((group) => group.endpoints.map(({ hints: given }) => given?.forZones?.[0]?.name ?? "-"))
    .join("");
}

describe("each zone gets its share", () => {
  const cases: readonly (readonly [string, zones: readonly Node[], endpoints: string, expected: string])[] = [
    ["as they are", [node("a"), node("b")], "aabb", "aabb"],
    ["one is lent", [node("a"), node("b")], "aaab", "baab"],
    ["by processors", [node("a", "6"), node("b", "2")], "aabb", "aaba"],
    ["three zones", [node("a"), node("b"), node("c")], "aaabbbccc", "aaabbbccc"],
    ["a difference of less than one stays", [node("a"), node("b")], "aaaabbb", "aaaabbb"],
    ["endpoints of zones without nodes are shared out", [node("a"), node("b")], "abcc", "abba"],
    [
      "control planes do not count",
      [node("a"), node("b"), node("c", "4", { labels: { "node-role.kubernetes.io/control-plane": "" } })],
      "aabb",
      "aabb",
    ],
  ];
  for (const [name, nodes, given, expected] of cases)
    test(name, () => {
      const { groups, problem } = withAutoHints(
        [{ ports: [], endpoints: endpoints(given) }],
        [],
        topologyOf(nodes),
      );
      assert.equal(problem, undefined);
      assert.equal([...hints(groups)].sort().join(""), [...expected].sort().join(""));
    });
});

describe("no hints, and why", () => {
  const cases: readonly (readonly [string, readonly Node[], string])[] = [
    ["aa", [node("a"), node("a")], "Nodes only ready in one zone"],
    ["aa", [node("a"), node("b", "4", { ready: false })], "Nodes only ready in one zone"],
    [
      "ab",
      [node("a"), node(undefined)],
      "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
    ],
    [
      "ab",
      [node("a"), node("b", "0")],
      "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes",
    ],
    ["a", [node("a"), node("b")], "Insufficient number of endpoints (1 endpoints, 2 zones)"],
    ["ab--", [node("a"), node("b")], "One or more endpoints do not have a zone specified"],
    [
      "abc",
      [node("a", "10"), node("b"), node("c")],
      "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 3 zones)",
    ],
  ];
  for (const [given, nodes, why] of cases)
    test(why, () => {
      const { groups, problem } = withAutoHints(
        [{ ports: [], endpoints: endpoints(given) }],
        [],
        topologyOf(nodes),
      );
      assert.equal(problem, why);
      assert.equal(hints(groups), "-".repeat(given.length));
    });
});

test("a hint that still fits is kept, and unready endpoints have none", () => {
  const topology = topologyOf([node("a"), node("b")]);
  const list = endpoints("aaab");
  const first = withAutoHints([{ ports: [], endpoints: list }], [], topology);
  const slice: EndpointSlice = {
    metadata: { name: "s" },
    addressType: "IPv4",
    endpoints: first.groups[0]?.endpoints ?? [],
  };
  const more = [...list, { ...list[0], addresses: ["10.42.0.9"], conditions: { ready: false }, zone: "a" }];
  const again = withAutoHints([{ ports: [], endpoints: more }], [slice], topology);
  assert.equal(hints(again.groups), `${hints(first.groups)}-`);
});

test("the mode is asked for by annotation", () => {
  const asks = (annotations: Record<string, string>) => isAuto({ metadata: { name: "s", annotations } });
  assert.ok(asks({ "service.kubernetes.io/topology-mode": "Auto" }));
  assert.ok(asks({ "service.kubernetes.io/topology-aware-hints": "auto" }));
  assert.ok(!asks({ "service.kubernetes.io/topology-mode": "Disabled" }));
});
