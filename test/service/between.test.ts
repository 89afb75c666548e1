/** Packets that read the maps while they change: wherever in its lookups a packet meets the change, it goes to an endpoint of before
 *  or of after, as long as there was one ready before and is one after. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FAMILIES, type Family } from "#addr/family";
import { TEST_CONFIG } from "#service/testing/config";
import { type Chance, chance } from "../fabric/chance.ts";
import { ENDPOINTS, type EndpointName, type Scene, SENDERS, type Sender, TARGET_PORT } from "./cases.ts";
import { kernelOfNode } from "./paper-node.ts";
import { Routed } from "./routed.ts";
import { addressIn, sceneNodes, sceneService, sceneSlices, targetOf } from "./scene-objects.ts";
import type { Chain, Hook, NamedSet, Table } from "./walk/ruleset.ts";
import { type Memory, outcomesOf, type Packet, walk } from "./walk/walk.ts";
import { DOORS, situation } from "./walked.ts";

const SEED = Number(process.env["BETWEEN_SEED"] ?? 20_261_122);
/** Packets of each change and family, out of all. */
const SAMPLE = Number(process.env["BETWEEN_SAMPLE"] ?? 5);
const CHANGES = Number(process.env["BETWEEN_CHANGES"] ?? 60);

const FULL = { type: "LoadBalancer", ingress: "VIP", externalIPs: ["EXTERNAL"] } as const;

/** Two states of a table: the first `switchAt` lookups read the one, all later ones the other. */
class Between implements Table {
  readonly #states: readonly [before: Table, after: Table];
  readonly #switchAt: number;
  lookups = 0;

  constructor(states: readonly [Table, Table], switchAt: number) {
    this.#states = states;
    this.#switchAt = switchAt;
  }

  /** Chains are added before anything leads to them, and never taken away. */
  chain(name: string): Chain {
    return this.#states[1].chain(name);
  }

  set(name: string): NamedSet {
    return this.#states[this.lookups++ < this.#switchAt ? 0 : 1].set(name);
  }

  get hooks(): readonly (Chain & { readonly hook: Hook })[] {
    return this.#states[1].hooks;
  }
}

/** Endpoints with their states, at least one of them here and ready. */
function someEndpoints(random: Chance): readonly string[] {
  const names = ["a", "b", "c", "d", "o"] as const;
  const states = ["", "", "~", "!"] as const;
  const picked = names.filter(() => random.below(2) === 0).map((name) => `${name}${states[random.below(4)]}`);
  const always = `${names[random.below(2)]}`;
  return [always, ...picked.filter((word) => !word.startsWith(always))];
}

function someScene(random: Chance): Scene {
  const policy = () => (random.below(2) === 0 ? "Local" : "Cluster");
  return {
    name: "moving",
    service: {
      type: "LoadBalancer",
      ingress: "VIP",
      externalIPs: ["EXTERNAL"],
      externalTrafficPolicy: policy(),
      internalTrafficPolicy: policy(),
      sessionAffinity: random.below(3) === 0 ? "ClientIP" : "None",
    },
    endpoints: someEndpoints(random).join(" "),
    rows: [],
  };
}

/** Where either state may lead. */
function servers(scenes: readonly Scene[], family: Family): readonly string[] {
  const names = scenes.flatMap(({ endpoints }) => endpoints.split(" ")).filter((word) => !word.endsWith("!"));
  return names.map(
    (word) => `${addressIn(ENDPOINTS[word.charAt(0) as EndpointName].ip, family)} . ${TARGET_PORT}`,
  );
}

function packets(scene: Scene, family: Family, index = 0): readonly Packet[] {
  const senders: readonly Sender[] = ["b", "d", "node", "other", "outside"];
  return senders.flatMap((sender) =>
    ["cluster", "nodeport", "vip", "external"].map((way): Packet => {
      const { ip, port } = targetOf(scene, index, way, family);
      const enters = DOORS[sender];
      const from = addressIn(SENDERS[sender], family);
      return { from, to: ip, port, protocol: "tcp", ...(enters === undefined ? {} : { enters }) };
    }),
  );
}

/** Every way through the change, for a client that may be remembered from before it. */
function strays(
  states: readonly [Table, Table],
  packet: Packet,
  allowed: readonly string[],
  family: Family,
): string[] {
  const found = new Set<string>();
  const remembered: Memory = new Map();
  walk(states[0], packet, situation(family, { remembered }), () => 0);
  let lookups = 1;
  for (let switchAt = 0; switchAt <= lookups; switchAt++)
    for (const memory of [new Map(), remembered])
      for (const nth of [0, 3]) {
        const table = new Between(states, switchAt);
        const at = situation(family, { remembered: new Map(memory) });
        const { verdict, to, rules } = walk(table, packet, at, (below) => Math.min(nth, below - 1));
        lookups = Math.max(lookups, table.lookups);
        if (verdict === "accept" && to !== undefined && allowed.includes(to)) continue;
        found.add(
          `${packet.from} -> ${packet.to}, changed after ${switchAt}: ${verdict} ${to} by ${rules.join(" | ")}`,
        );
      }
  return [...found];
}

test("whatever changes, a packet in between finds an endpoint", async () => {
  const random = chance(SEED);
  await using routed = new Routed(kernelOfNode());
  for (const node of sceneNodes()) routed.nodes.put(node);
  const put = (scene: Scene) => {
    routed.services.put(sceneService(scene, 0));
    for (const slice of sceneSlices(scene)) routed.slices.put(slice);
  };
  let before = someScene(random);
  put(before);
  await routed.start();
  for (let n = 0; n < CHANGES; n++) {
    const after =
      random.below(2) === 0 ? someScene(random) : { ...before, endpoints: someEndpoints(random).join(" ") };
    const stood = FAMILIES.map((family) => routed.table(family));
    await routed.change(() => put(after));
    for (const [i, family] of FAMILIES.entries()) {
      const states = [stood[i] ?? routed.table(family), routed.table(family)] as const;
      const allowed = servers([before, after], family);
      const sample = packets(after, family)
        .toSorted(() => random.below(2) - 0.5)
        .slice(0, SAMPLE);
      const wrong = sample.flatMap((packet) => strays(states, packet, allowed, family));
      assert.deepEqual(wrong, [], `seed ${SEED}, change ${n}: ${JSON.stringify([before, after])}`);
    }
    before = after;
  }
  assert.deepEqual(routed.faults, []);
});

test("a packet that finds a way in and no endpoint any more is dropped and not refused: it will be sent again", async () => {
  await using routed = new Routed(kernelOfNode());
  for (const node of sceneNodes()) routed.nodes.put(node);
  const scenes = ["a", "a c", "a c d"].map((endpoints, i): Scene => {
    const service = { ...FULL, internalTrafficPolicy: i === 0 ? "Local" : "Cluster" };
    return { name: `gone-${i}`, service, endpoints, rows: [] };
  });
  for (const [i, scene] of scenes.entries()) {
    routed.services.put(sceneService(scene, i));
    for (const slice of sceneSlices(scene)) routed.slices.put(slice);
  }
  await routed.start();
  for (const family of FAMILIES) {
    const table = routed.table(family);
    for (const map of ["endpoints", "local-endpoints"]) table.set(map).elements.clear();
    for (const [i, scene] of scenes.entries())
      for (const packet of packets(scene, family, i))
        assert.deepEqual(
          outcomesOf(table, packet, situation(family)).map(({ verdict }) => verdict),
          ["drop"],
          `${packet.from} -> ${packet.to}`,
        );
  }
});

test("what belongs to no connection is not forwarded, unless it is asked for", async () => {
  for (const conntrackBeLiberal of [false, true]) {
    await using routed = new Routed(kernelOfNode(), { config: { ...TEST_CONFIG, conntrackBeLiberal } });
    for (const node of sceneNodes()) routed.nodes.put(node);
    await routed.start();
    for (const family of FAMILIES) {
      const [from, to] = [addressIn(ENDPOINTS.a.ip, family), addressIn(ENDPOINTS.b.ip, family)];
      const packet: Packet = { from, to, port: 40_000, protocol: "tcp", enters: "to-a", state: "invalid" };
      const [outcome] = outcomesOf(routed.table(family), packet, situation(family));
      assert.equal(outcome?.verdict, conntrackBeLiberal ? "accept" : "drop");
    }
  }
});
