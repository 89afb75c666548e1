/** Services, endpoints, policies, Nodes and addresses change without pause and the proxy is killed in between: connections to
 *  services that always had a ready endpoint all come about, and at the end the kernel holds what a fresh start would put there.
 *  `CHURN_CHANGES=4000 CHURN_EVERY_MS=150` makes it last ten minutes. */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { test } from "node:test";
import { ipPrefixOf } from "#addr/cidr";
import { FAMILIES, FAMILY } from "#addr/family";
import { chance } from "../fabric/chance.ts";
import { ChurnedCluster } from "./churn.ts";
import type { ExchangeOrder } from "./exchange-worker.ts";
import { Exchanges } from "./exchanges.ts";
import { kernelOfNode } from "./paper-node.ts";
import { applyChange } from "./proxy-child.ts";
import { ProxyProcess } from "./proxy-process.ts";
import { Routed } from "./routed.ts";
import { addressIn, targetOf } from "./scene-objects.ts";
import { meaningOf, standingElements, withoutSpares } from "./standing.ts";
import { ServiceWorld } from "./world.ts";

const SEED = Number(process.env["CHURN_SEED"] ?? 20_261_122);
const CHANGES = Number(process.env["CHURN_CHANGES"] ?? 250);
const EVERY_MS = Number(process.env["CHURN_EVERY_MS"] ?? 8);
const KILL_EVERY = Number(process.env["CHURN_KILL_EVERY"] ?? 120);
const EXCHANGE_EVERY_MS = Number(process.env["CHURN_EXCHANGE_EVERY_MS"] ?? 20);
/** An address the node has now and then. */
const PASSING = "192.168.5.7";

function ordersFor(world: ServiceWorld, cluster: ChurnedCluster): readonly ExchangeOrder[] {
  const ways = {
    b: ["cluster", "nodeport", "vip"],
    node: ["cluster", "nodeport", "external"],
    client: ["nodeport", "vip", "external"],
  } as const;
  return Object.entries(ways).map(([machine, names]) => ({
    netns: world.pathOf(machine as keyof typeof ways),
    everyMs: EXCHANGE_EVERY_MS,
    targets: cluster.steady.flatMap(({ scene, index }) =>
      names.flatMap((way) =>
        FAMILIES.map((family) => ({
          name: `${machine} -> ${scene.name} ${way}`,
          ...targetOf(scene, index, way, family),
        })),
      ),
    ),
  }));
}

function pass(world: ServiceWorld, isThere: boolean): void {
  const { netlink } = world.foreign;
  const link = netlink.findLink("to-client")?.index ?? 0;
  for (const family of FAMILIES) {
    const address = ipPrefixOf(addressIn(PASSING, family), FAMILY[family].bits);
    if (isThere) netlink.addAddress(link, address, { noDad: true });
    else netlink.deleteAddress(link, address);
  }
}

test("the kernel ends as a fresh start would leave it, and nobody was refused", async (t) => {
  const random = chance(SEED);
  await using world = await ServiceWorld.open(`twt-${process.pid}-ch`);
  const netns = basename(world.pathOf("node"));
  const cluster = new ChurnedCluster(random);
  let proxy = new ProxyProcess(netns, cluster.objects());
  await using _last = { [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
  await proxy.started;
  await using exchanges = await Exchanges.start(ordersFor(world, cluster));
  const faults: string[] = [];
  let isPassing = false;
  for (let n = 1; n <= CHANGES; n++) {
    proxy.change(cluster.change());
    if (n % 50 === 0) {
      isPassing = !isPassing;
      pass(world, isPassing);
    }
    if (n % KILL_EVERY === 0) {
      await new Promise((resolve) => setTimeout(resolve, random.below(5)));
      await proxy.kill();
      proxy = new ProxyProcess(netns, cluster.objects());
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  await proxy.started;
  faults.push(...(await proxy.settle()).faults);
  const told = await exchanges.stop();
  t.diagnostic(
    `seed ${SEED}, ${CHANGES} changes, ${JSON.stringify({ ...told, failed: told.failed.length })}, ${fallbacks(world)}`,
  );
  assert.deepEqual(told.failed, [], `seed ${SEED}`);
  assert.deepEqual(faults, []);

  const kernel = kernelOfNode(isPassing ? [PASSING] : []);
  await using fresh = new Routed(kernel);
  for (const change of cluster.objects()) applyChange(fresh, change);
  await fresh.start();
  const stood = FAMILIES.map((family) => standingElements(world.foreign.nft, family));
  for (const [i, family] of FAMILIES.entries())
    assert.deepEqual(
      meaningOf(stood[i] ?? new Map()),
      meaningOf(standingElements(kernel.nft, family)),
      `seed ${SEED}`,
    );

  await proxy.kill();
  proxy = new ProxyProcess(netns, cluster.objects());
  assert.deepEqual((await proxy.started).faults, []);
  const again = FAMILIES.map((family) => standingElements(world.foreign.nft, family));
  assert.deepEqual(again.map(withoutSpares), stood.map(withoutSpares), "a restart changes nothing");
});

/** How many packets came between two states of the maps. */
function fallbacks(world: ServiceWorld): string {
  const counted = FAMILIES.map((family) =>
    world.foreign.nft.list(`list counters table ${FAMILY[family].nft} twill-service`),
  );
  return `fallbacks ${counted.flatMap((text) => /packets (\d+)/.exec(text)?.[1] ?? []).join(" + ")}`;
}
