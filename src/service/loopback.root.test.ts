import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { closeLoopback, openLoopback } from "#kernel/loopback-guard";
import { TEST_CONFIG } from "./testing/config.ts";
import { serviceObject, sliceObject } from "./testing/objects.ts";
import { NODE_IP, TestProxy, World } from "./testing/world.ts";

const WAIT = 3000;
const SILENCE = 200;
const PORT = 30080;
/** The node's own server, which listens at every address. */
const OWN_PORT = 9090;

let world: World;
let proxy: TestProxy;
const past = {};

before(async () => {
  world = await World.open();
  openLoopback(world.net, past);
  proxy = new TestProxy(world, { ...TEST_CONFIG, localhostNodePorts: true });
  await proxy.start();
});
after(async () => {
  assert.deepEqual(proxy.faults, []);
  await proxy[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function serve(policy: "Cluster" | "Local", ip: string, port = 8080): Promise<void> {
  const protocols = ["TCP", "UDP"] as const;
  const ports = protocols.map((protocol) => ({ name: protocol, port: 80, nodePort: PORT, protocol }));
  const endpoints = [{ ip, nodeName: ip === "10.42.1.2" ? "there" : "here" }];
  await proxy.change(() => {
    proxy.services.put(serviceObject({ type: "NodePort", externalTrafficPolicy: policy, ports }));
    proxy.slices.put(
      sliceObject({ endpoints, ports: protocols.map((protocol) => ({ name: protocol, port, protocol })) }),
    );
  });
}

const ask = (how: "tcp" | "udp", from: "node" | "client" = "node", port = PORT, waitMs = WAIT) =>
  world.tell(from, { do: how, host: "127.0.0.1", port, waitMs });

describe("a node port on 127.0.0.1", () => {
  for (const policy of ["Cluster", "Local"] as const)
    for (const how of ["tcp", "udp"] as const) {
      test(`leads to a pod of this node: ${how}, policy ${policy}`, async () => {
        await serve(policy, "10.42.0.2");
        assert.deepEqual(await ask(how), { answer: "a 10.42.0.1" });
      });
      test(`leads to another node's pod: ${how}, policy ${policy}`, async () => {
        await serve(policy, "10.42.1.2");
        assert.deepEqual(await ask(how), { answer: "c 10.42.0.1" });
      });
    }

  test("leads to an endpoint that is this node itself", async () => {
    await serve("Cluster", NODE_IP, OWN_PORT);
    const { answer } = await ask("tcp");
    assert.match(answer ?? "", /^node /);
  });

  test("is refused where there is no endpoint", async () => {
    await proxy.change(() => proxy.slices.put(sliceObject({ name: "web-4", endpoints: [] })));
    assert.deepEqual(await ask("tcp"), { error: "ECONNREFUSED" });
  });
});

describe("a neighbour's packet to 127.0.0.1", () => {
  before(() => {
    // It has no loopback of its own in the way.
    const ip = (...words: string[]) => execFileSync("ip", ["-n", world.ns("client"), ...words]);
    ip("rule", "add", "pref", "100", "lookup", "local");
    ip("rule", "del", "pref", "0");
    ip("rule", "add", "pref", "1", "to", "127.0.0.0/8", "lookup", "77");
    ip("route", "add", "127.0.0.0/8", "via", NODE_IP, "dev", "eth0", "table", "77");
    world.net.nft.run(`table ip arrived {
      chain input {
        type filter hook input priority 0;
        iif != "lo" ip daddr 127.0.0.1 counter
      }
    }`);
  });
  const arrived = () =>
    Number(/packets (\d+)/.exec(world.net.nft.list("list table ip arrived"))?.[1] ?? Number.NaN);

  test("does not arrive, at a node port or at what listens there", async () => {
    for (const port of [PORT, OWN_PORT]) await ask("udp", "client", port, SILENCE);
    assert.equal(arrived(), 0);
  });

  test("would without the guard", async () => {
    world.net.nft.run("delete table ip twill-loopback");
    await ask("udp", "client", OWN_PORT, SILENCE);
    assert.equal(arrived(), 1);
    openLoopback(world.net, past);
  });

  test("does not once loopback is closed, and node ports there are nobody's", async () => {
    assert.equal(closeLoopback(world.net).length, 2);
    await ask("udp", "client", OWN_PORT, SILENCE);
    assert.equal(arrived(), 1);
    assert.doesNotMatch(world.net.nft.list("list tables"), /twill-loopback/);
  });
});
