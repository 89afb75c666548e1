/** What becomes of clients while the service they talk to changes: those that keep a UDP socket, those with session affinity, those
 *  with a connection, and those whose server sends what belongs to no connection. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FAMILIES, FAMILY } from "#addr/family";
import { TEST_CONFIG } from "#service/testing/config";
import { internetChecksum } from "#wire/internet-checksum";
import { ethernet, injectFrames, ip } from "../fabric/frames.ts";
import { eventually } from "../fabric/machines.ts";
import { ENDPOINTS, type Scene, SENDERS, TARGET_PORT } from "./cases.ts";
import { type Client, Conversations } from "./conversations.ts";
import { putScenes, Routed } from "./routed.ts";
import { addressIn, sceneNodes } from "./scene-objects.ts";
import { ServiceWorld } from "./world.ts";

let world: ServiceWorld;
before(async () => {
  world = await ServiceWorld.open(`twt-${process.pid}-co`);
});
after(() => world[Symbol.asyncDispose]());

const FULL = { type: "LoadBalancer", ingress: "VIP", externalIPs: ["EXTERNAL"] } as const;
const EVERYBODY: readonly Client[] = [
  { from: "b", to: "cluster" },
  { from: "b", to: "nodeport" },
  { from: "node", to: "cluster" },
  { from: "node", to: "vip" },
  { from: "other", to: "nodeport" },
  { from: "outside", to: "nodeport" },
  { from: "outside", to: "vip" },
  { from: "outside", to: "external" },
];

async function open(config = TEST_CONFIG): Promise<Routed> {
  const routed = new Routed(world.kernel, { config });
  for (const node of sceneNodes()) routed.nodes.put(node);
  await routed.start();
  return routed;
}

const sceneOf = (endpoints: string, service: Scene["service"] = FULL) => ({
  name: "web",
  service,
  endpoints,
  rows: [],
  isAbsent: false,
});
const serve = (routed: Routed, endpoints: string, service: Scene["service"] = FULL) =>
  routed.change(() => putScenes(routed, [sceneOf(endpoints, service)]));
const servers = (asked: readonly { readonly by: string }[]) => [...new Set(asked.map(({ by }) => by))].sort();

test("a UDP client that keeps its socket goes where the endpoints are", async () => {
  await using routed = await open();
  const talk = new Conversations(world, sceneOf(""));
  await serve(routed, "");
  for (const { name, by } of await talk.ask(EVERYBODY, "udp", true))
    assert.match(by, /^(?:ECONNREFUSED|EPERM)$/, name);
  // Never cut off: one that leaves and still serves; gone: replaced by another one, elsewhere, in a node's network, at another port.
  for (const [endpoints, by] of [
    ["a", "a"],
    ["a~ c", "a"],
    ["c", "c"],
    ["c b:8081~", "c"],
    ["o", "o"],
    ["n", "n"],
    ["c", "c"],
    ["c:8081", "c:8081"],
    ["a", "a"],
  ] as const) {
    await serve(routed, endpoints);
    const wrong = (await talk.again())
      .filter((asked) => asked.by !== by)
      .map((asked) => `${asked.name}: ${asked.by}`);
    assert.deepEqual(wrong, [], endpoints);
  }
  const local = { ...FULL, internalTrafficPolicy: "Local", externalTrafficPolicy: "Local" } as const;
  await serve(routed, "a", local);
  assert.deepEqual(servers(await talk.again()), ["a"]);
  await serve(routed, "n", local);
  assert.deepEqual(servers(await talk.again()), ["n"]);
  await talk.end();
});

test("session affinity holds over all addresses of a port, is switched off and on, and ends with its time", async () => {
  await using routed = await open();
  const sticky = (timeoutSeconds: number, more: Scene["service"] = {}) => ({
    ...FULL,
    sessionAffinity: "ClientIP",
    sessionAffinityConfig: { clientIP: { timeoutSeconds } },
    ...more,
  });
  const talk = new Conversations(world, sceneOf(""));
  const many = (clients: readonly Client[]) => Array.from({ length: 8 }, () => clients).flat();
  const pod = many(["cluster", "nodeport", "vip", "external"].map((to) => ({ from: "d", to })));
  const stranger = many(["nodeport", "vip", "external"].map((to) => ({ from: "outside", to })));
  const remembered = () =>
    FAMILIES.flatMap((family) =>
      world.foreign.nft.listElements({
        family: FAMILY[family].nft,
        table: "twill-service",
        set: "sticky-clients",
      }),
    );

  for (const protocol of ["tcp", "udp"] as const) {
    for (const policy of ["Cluster", "Local"]) {
      await serve(routed, "a b c", sticky(10_800, { externalTrafficPolicy: policy }));
      for (const clients of [pod, stranger]) {
        const asked = await talk.ask(clients, protocol);
        for (const family of FAMILIES)
          assert.equal(
            servers(asked.filter((each) => each.family === family)).length,
            1,
            `${protocol} ${policy} ${JSON.stringify(asked)}`,
          );
      }
    }
    await serve(routed, "a b c", { ...FULL, sessionAffinity: "None" });
    assert.ok(servers(await talk.ask(pod, protocol)).length > 1, "without affinity");
  }
  // Whoever was remembered goes elsewhere when his endpoint goes, and stays there when it comes back.
  await serve(routed, "a", sticky(10_800));
  assert.deepEqual(servers(await talk.ask(pod, "tcp")), ["a"]);
  await serve(routed, "b", sticky(10_800));
  assert.deepEqual(servers(await talk.ask(pod, "tcp")), ["b"]);
  await serve(routed, "a b c", sticky(10_800));
  assert.deepEqual(servers(await talk.ask(pod, "tcp")), ["b"]);

  assert.ok(remembered().length > 0);
  await routed.change(() => putScenes(routed, [{ ...sceneOf(""), isAbsent: true }]));
  world.foreign.nft.run(
    FAMILIES.map((family) => `flush map ${FAMILY[family].nft} twill-service sticky-clients\n`).join(""),
  );
  await serve(routed, "a b c", sticky(1));
  assert.ok(servers(await talk.ask(pod, "tcp")).length <= FAMILIES.length);
  assert.ok(
    remembered().every(({ expiresMs = Number.POSITIVE_INFINITY }) => expiresMs <= 1_000),
    "for a second",
  );
  await eventually("a client is forgotten", () => remembered().length === 0);
});

test("connections stay where they are, whatever becomes of endpoint, service and proxy", async () => {
  const talk = new Conversations(world, sceneOf(""));
  const stay = async (what: string) => assert.deepEqual(servers(await talk.again()), ["a"], what);
  {
    await using routed = await open();
    await serve(routed, "a");
    assert.deepEqual(servers(await talk.ask(EVERYBODY, "tcp", true)), ["a"]);
    await serve(routed, "c");
    await stay("its endpoint is another");
    await serve(routed, "");
    await stay("there is no endpoint");
    await routed.change(() => putScenes(routed, [{ ...sceneOf(""), isAbsent: true }]));
    await stay("there is no service");
  }
  await stay("there is no proxy");
  await using again = await open({ ...TEST_CONFIG, masqueradeAll: true });
  await serve(again, "c");
  await stay("another version of the program stands");
  await talk.end();
});

/** What is long past the kernel takes for late and lets through, as the connection's; what is far ahead belongs to none. Of two numbers
 *  that are half of all apart one is the one and one the other, wherever a connection began to count. */
const BOTH_HALVES = [0x1234_5678, 0x9234_5678];

/** A segment of a connection that no window of it has room for. */
function strayTcp(
  source: ReturnType<typeof addressIn>,
  to: ReturnType<typeof addressIn>,
  port: number,
  sequence: number,
): Uint8Array {
  const tcp = Buffer.alloc(20);
  tcp.writeUInt16BE(TARGET_PORT, 0);
  tcp.writeUInt16BE(port, 2);
  tcp.writeUInt32BE(sequence, 4);
  tcp.writeUInt32BE(0x2345_6789, 8);
  tcp.writeUInt8(0x50, 12);
  tcp.writeUInt8(0x10, 13);
  tcp.writeUInt16BE(1_000, 14);
  const packet = ip({ source, to }, { protocol: 6, bytes: tcp });
  const addresses = Buffer.from(packet).subarray(
    source.includes(":") ? 8 : 12,
    source.includes(":") ? 40 : 20,
  );
  const pseudo = Buffer.concat([addresses, Buffer.from([0, 0, 0, tcp.length, 0, 0, 0, 6]), tcp]);
  tcp.writeUInt16BE(internetChecksum(pseudo), 16);
  return ip({ source, to }, { protocol: 6, bytes: tcp });
}

/** Counts resets that clients send to where endpoints listen. */
function countResets(): Disposable & { readonly count: number } {
  const { nft } = world.foreign;
  const each = (f: (table: string) => string) =>
    FAMILIES.map((family) => f(`${FAMILY[family].nft} twt-resets`));
  const rule = `tcp dport ${TARGET_PORT} tcp flags & rst == rst counter name "resets"`;
  const chain = `chain looks { type filter hook prerouting priority -300;\n ${rule}\n }`;
  nft.run(
    each(
      (table) => `table ${table} {
 counter resets { }
 ${chain}
}
`,
    ).join(""),
  );
  return {
    get count() {
      const texts = each((table) => nft.list(`list counter ${table} resets`));
      return texts.reduce((sum, text) => sum + Number(/packets (\d+)/.exec(text)?.[1]), 0);
    },
    [Symbol.dispose]: () => nft.run(each((table) => `delete table ${table}\n`).join("")),
  };
}

for (const [isLiberal, outcome] of [
  [false, "is not reset by its client"],
  [true, "is reset where that packet is let through, which shows what the rule is for"],
] as const)
  test(`a connection whose server sends what belongs to none ${outcome}`, async () => {
    await using routed = await open({ ...TEST_CONFIG, conntrackBeLiberal: isLiberal });
    await serve(routed, "a");
    const talk = new Conversations(world, sceneOf(""));
    const kept = await talk.ask([{ from: "b", to: "cluster" }], "tcp", true);
    using resets = countResets();
    const { kernel, ns } = world.machine("a");
    const [own, near] = [kernel.netlink.findLink("eth0"), world.foreign.netlink.findLink("to-a")];
    assert.ok(own?.mac && near?.mac);
    for (const { family, fromPort } of kept)
      for (const sequence of BOTH_HALVES) {
        const [from, to] = [addressIn(ENDPOINTS.a.ip, family), addressIn(SENDERS.b, family)];
        const packet = strayTcp(from, to, fromPort, sequence);
        injectFrames(kernel, { ns, link: own.index }, [ethernet(own.mac, near.mac, packet)]);
      }
    if (isLiberal) await eventually("a reset", () => resets.count > 0);
    assert.deepEqual(servers(await talk.again()), ["a"]);
    assert.equal(resets.count > 0, isLiberal);
    await talk.end();
  });
