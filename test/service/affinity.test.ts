/** Session affinity over a client's connections, walked through the program with a clock. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILIES, type Family } from "#addr/family";
import { type EndpointName, SENDERS, type Sender } from "./cases.ts";
import { kernelOfNode } from "./paper-node.ts";
import { putScenes, Routed } from "./routed.ts";
import { addressIn, sceneNodes, targetOf } from "./scene-objects.ts";
import { type Memory, outcomesOf, type Packet, walk } from "./walk/walk.ts";
import { DOORS, inWords, situation } from "./walked.ts";

const SECONDS = 60;
const sceneOf = (endpoints: string) => ({
  name: "sticky",
  service: {
    type: "NodePort",
    sessionAffinity: "ClientIP",
    sessionAffinityConfig: { clientIP: { timeoutSeconds: SECONDS } },
  },
  endpoints,
  rows: [],
  isAbsent: false,
});

function packetOf(from: Sender, way: string, family: Family): Packet {
  const { ip, port } = targetOf(sceneOf(""), 0, way, family);
  const enters = DOORS[from];
  return { from: addressIn(SENDERS[from], family), to: ip, port, protocol: "tcp", ...(enters && { enters }) };
}

test("a client stays until its endpoint goes or its time is over, whichever address it asks", async () => {
  await using routed = new Routed(kernelOfNode());
  for (const node of sceneNodes()) routed.nodes.put(node);
  putScenes(routed, [sceneOf("a c d")]);
  await routed.start();
  const serve = (endpoints: string) => routed.change(() => putScenes(routed, [sceneOf(endpoints)]));
  const memory = new Map<Family, Memory>(FAMILIES.map((family) => [family, new Map()]));
  const at = (family: Family, now: number) =>
    situation(family, { now, remembered: memory.get(family) ?? new Map() });
  /** Where the client may be led now. */
  const may = (now: number, expected: string, from: Sender = "b", way = "cluster") => {
    for (const family of FAMILIES)
      assert.equal(
        inWords(outcomesOf(routed.table(family), packetOf(from, way, family), at(family, now)), {
          family,
          protocol: "tcp",
        }),
        expected,
        `${from} -> ${way} at ${now} over IPv${family}`,
      );
  };
  /** It connects, and chance leads it there. */
  const connect = (now: number, to: EndpointName) => {
    for (const family of FAMILIES) {
      const [table, packet] = [routed.table(family), packetOf("b", "cluster", family)];
      const led = [0, 1, 2].some((nth) => {
        const remembered: Memory = new Map(memory.get(family));
        const outcome = walk(table, packet, situation(family, { now, remembered }), (below) =>
          Math.min(nth, below - 1),
        );
        if (inWords([outcome], { family, protocol: "tcp" }) !== to) return false;
        memory.set(family, remembered);
        return true;
      });
      assert.ok(led, `b may be led to ${to} at ${now} over IPv${family}`);
    }
  };

  may(0, "a c d");
  connect(0, "d");
  may(10, "d");
  may(10, "masq d", "b", "nodeport");
  may(10, "a c d", "d");
  connect(50, "d");
  may(50 + SECONDS - 1, "d");
  may(50 + SECONDS, "a c d");

  connect(100, "d");
  await serve("a c");
  may(101, "a c");
  await serve("a c d");
  may(101, "a c d");
  await serve("a c");
  connect(101, "c");
  await serve("a c d");
  may(102, "c");
  may(101 + SECONDS, "a c d");
});
