import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { FAMILIES } from "#addr/family";
import type { NftElement } from "#kernel/kernel";
import type { Service } from "#kube/generated/types";
import { TEST_CONFIG } from "./testing/config.ts";
import {
  type EndpointShape,
  nodeObject,
  type ServiceShape,
  serviceObject,
  sliceObject,
  translate,
} from "./testing/objects.ts";
import { type Host, TestProxy, World } from "./testing/world.ts";

const HERE = { nodeName: "here" };
const THERE = { nodeName: "there" };
const A: EndpointShape = { ip: "10.42.0.2", ...HERE };
const B: EndpointShape = { ip: "10.42.0.3", ...HERE };
const C: EndpointShape = { ip: "10.42.1.2", ...THERE };
const CLIENT = "192.168.9.2";
const MASQUERADED = { annotations: { "service.twill.io/client-address": "masquerade" } };
const WAIT = 3000;
/** For what must stay silent: the drop is in force before, so this only bounds how long a wrong answer could take. */
const SILENCE = 300;

let world: World;

function fallbacks(table: string): number {
  return Number(
    /packets (\d+)/.exec(world.net.nft.list(`list counter ${table} twill-service fallbacks`))?.[1],
  );
}

before(async () => {
  world = await World.open();
});
after(async () => {
  await world[Symbol.asyncDispose]();
});

for (const family of FAMILIES) {
  describe(`services over IPv${family}`, () => {
    let proxy: TestProxy;
    before(async () => {
      proxy = new TestProxy(world);
      await proxy.start();
    });
    after(async () => {
      assert.deepEqual(proxy.faults, []);
      await proxy[Symbol.asyncDispose]();
      world.net.nft.run("delete table ip twill-service\ndelete table ip6 twill-service");
    });

    const at = (address: string) => translate(address, family);
    const both = [
      { name: "tcp", port: 8080, protocol: "TCP" },
      { name: "udp", port: 8080, protocol: "UDP" },
    ];
    const servicePorts = [
      { name: "tcp", port: 80, protocol: "TCP", nodePort: 30080 },
      { name: "udp", port: 80, protocol: "UDP", nodePort: 30080 },
    ];
    async function serve(shape: ServiceShape, endpoints: readonly EndpointShape[]): Promise<Service> {
      const service = serviceObject({ ports: servicePorts, type: "NodePort", ...shape }, family);
      await proxy.change(() => {
        proxy.services.put(service);
        proxy.slices.put(sliceObject({ endpoints, ports: both }, family));
      });
      return service;
    }
    const endpoints = (list: readonly EndpointShape[]) =>
      proxy.change(() => proxy.slices.put(sliceObject({ endpoints: list, ports: both }, family)));
    const tcp = (from: Host, host: string, port = 80, waitMs = WAIT) =>
      world.tell(from, { do: "tcp", host: at(host), port, waitMs });
    const udp = (from: Host, host: string, port = 80, waitMs = WAIT, local?: number) =>
      world.tell(from, { do: "udp", host: at(host), port, waitMs, ...(local ? { from: local } : {}) });
    const answer = (name: Host, client: string) => ({ answer: `${name} ${at(client)}` });

    test("a pod reaches a ClusterIP with its own address, over TCP and UDP", async () => {
      await serve({}, [B]);
      assert.deepEqual(await tcp("a", "10.43.0.7"), answer("b", "10.42.0.2"));
      assert.deepEqual(await udp("a", "10.43.0.7"), answer("b", "10.42.0.2"));
    });

    test("the node itself and clients outside are masqueraded towards a ClusterIP", async () => {
      assert.deepEqual(await tcp("client", "10.43.0.7"), answer("b", "10.42.0.1"));
      const own = await tcp("node", "10.43.0.7");
      assert.match(own.answer ?? own.error ?? "", /^b /);
    });

    test("connections spread evenly over the endpoints", async () => {
      await endpoints([A, B, C]);
      const count = new Map<string, number>();
      for (let i = 0; i < 150; i++) {
        const { answer = "none" } = await tcp("client", "10.43.0.7");
        const [name = ""] = answer.split(" ");
        count.set(name, (count.get(name) ?? 0) + 1);
      }
      assert.deepEqual([...count.keys()].sort(), ["a", "b", "c"]);
      for (const [name, times] of count) assert.ok(times > 25, `${name} answered ${times} of 150`);
    });

    test("a pod reaches itself through its service", async () => {
      await endpoints([A]);
      assert.deepEqual(await tcp("a", "10.43.0.7"), answer("a", "10.42.0.1"));
    });

    test("a NodePort with policy Cluster hides the client", async () => {
      await endpoints([C]);
      const reply = await tcp("client", "192.168.9.1", 30080);
      assert.deepEqual(reply, answer("c", "10.42.0.1"));
      assert.deepEqual(await udp("client", "192.168.9.1", 30080), answer("c", "10.42.0.1"));
      assert.deepEqual(await tcp("node", "192.168.9.1", 30080), answer("c", "10.42.0.1"));
    });

    test("a node with a ready endpoint shows it the client's own address; pods and nodes of the cluster go anywhere", async () => {
      await serve({ externalIPs: ["192.168.7.9"] }, [A, C]);
      for (let i = 0; i < 8; i++) {
        assert.deepEqual(await tcp("client", "192.168.9.1", 30080), answer("a", CLIENT));
        assert.deepEqual(await udp("client", "192.168.7.9"), answer("a", CLIENT));
      }
      const other = nodeObject({ name: "there", internalIps: [at(CLIENT)] });
      await proxy.change(() => proxy.nodes.put(other));
      const names = new Set<string>();
      for (let i = 0; i < 40; i++) names.add((await tcp("client", "192.168.9.1", 30080)).answer ?? "none");
      assert.deepEqual([...names].sort(), [`a ${at("10.42.0.1")}`, `c ${at("10.42.0.1")}`]);
      await proxy.change(() => proxy.nodes.remove(other));
      const leaving = { ready: false, serving: true, terminating: true };
      await endpoints([{ ...A, conditions: leaving }, C]);
      assert.deepEqual(await tcp("client", "192.168.9.1", 30080), answer("c", "10.42.0.1"));
      await serve(MASQUERADED, [A]);
      assert.deepEqual(await tcp("client", "192.168.9.1", 30080), answer("a", "10.42.0.1"));
    });

    test("an address that comes to the node answers on NodePorts, and with the node's own comes its alias", async () => {
      await serve({ type: "LoadBalancer", ingress: [{ ip: "192.168.8.8" }] }, [A]);
      const own = `${at("192.168.8.1")}/${family === 4 ? 32 : 128}`;
      const [show, hide] = ["add", "del"].map(
        (verb) => () => execFileSync("ip", ["-n", world.ns("node"), "addr", verb, own, "dev", "to-client"]),
      );
      await proxy.change(() => show?.());
      assert.deepEqual(await tcp("client", "192.168.8.1", 30080), answer("a", CLIENT));
      await proxy.change(() => hide?.());
      assert.equal((await tcp("client", "192.168.8.1", 30080, SILENCE)).answer, undefined);
      // A cloud makes 192.168.8.8 of the node into 192.168.9.1 before the packet comes.
      assert.deepEqual(await tcp("client", "192.168.9.1", 80), { error: "ECONNREFUSED" });
      const internalIps = FAMILIES.map((of) => translate("192.168.9.1", of));
      await proxy.change(() =>
        proxy.nodes.put(nodeObject({ internalIps, externalIps: [at("192.168.8.8")] })),
      );
      assert.deepEqual(await tcp("client", "192.168.9.1", 80), answer("a", CLIENT));
      await proxy.change(() => proxy.nodes.put(nodeObject({ internalIps })));
    });

    test("a NodePort never answers on loopback", async () => {
      const host = family === 4 ? "127.0.0.1" : "::1";
      const reply = await world.tell("node", { do: "tcp", host, port: 30080, waitMs: WAIT });
      assert.deepEqual(reply, { error: "ECONNREFUSED" });
    });

    test("policy Local keeps the client's address, and drops where no endpoint is near", async () => {
      await serve({ externalTrafficPolicy: "Local" }, [A, C]);
      for (let i = 0; i < 5; i++)
        assert.deepEqual(await tcp("client", "192.168.9.1", 30080), answer("a", CLIENT));
      await endpoints([C]);
      assert.deepEqual(await tcp("client", "192.168.9.1", 30080, SILENCE), { error: "silence" });
      assert.deepEqual(await tcp("b", "192.168.9.1", 30080), answer("c", "10.42.0.3"));
    });

    test("a local endpoint that terminates still serves when it is the last here", async () => {
      const conditions = { ready: false, serving: true, terminating: true };
      await endpoints([{ ...A, conditions }, C]);
      assert.deepEqual(await tcp("client", "192.168.9.1", 30080), answer("a", CLIENT));
    });

    test("no endpoints: refused at once, over TCP and UDP, from pod, node and outside", async () => {
      await serve({}, []);
      for (const from of ["a", "node", "client"] as const) {
        assert.deepEqual(await tcp(from, "10.43.0.7"), { error: "ECONNREFUSED" }, from);
        assert.deepEqual(await tcp(from, "192.168.9.1", 30080), { error: "ECONNREFUSED" }, from);
      }
      assert.deepEqual(await udp("a", "10.43.0.7", 80, SILENCE), { error: "silence" });
    });

    test("an undefined port is refused, an address of no service is silent", async () => {
      assert.deepEqual(await tcp("a", "10.43.0.7", 81), { error: "ECONNREFUSED" });
      assert.deepEqual(await tcp("a", "10.43.0.99", 80, SILENCE), { error: "silence" });
    });

    test("a client that keeps its UDP port follows a replaced endpoint", async () => {
      await serve({}, [A]);
      assert.deepEqual(await udp("b", "10.43.0.7", 80, WAIT, 5000 + family), answer("a", "10.42.0.3"));
      await endpoints([C]);
      assert.deepEqual(await udp("b", "10.43.0.7", 80, WAIT, 5000 + family), answer("c", "10.42.0.3"));
    });

    test("an endpoint change leaves established connections alone", async () => {
      await endpoints([A]);
      const { connection = -1 } = await world.tell("b", {
        do: "hold",
        host: at("10.43.0.7"),
        port: 80,
        waitMs: WAIT,
      });
      await endpoints([C]);
      assert.deepEqual(await tcp("b", "10.43.0.7"), answer("c", "10.42.0.3"));
      const again = await world.tell("b", { do: "say", connection, waitMs: WAIT });
      assert.deepEqual(again, answer("a", "10.42.0.3"));
    });

    test("session affinity keeps a client with its endpoint until that is gone", async () => {
      await serve({ sessionAffinity: "ClientIP", externalIPs: ["192.168.7.9"], ...MASQUERADED }, [A, B, C]);
      const names = new Set<string>();
      for (let i = 0; i < 20; i++) names.add((await tcp("client", "10.43.0.7")).answer ?? "none");
      for (let i = 0; i < 5; i++) names.add((await tcp("client", "192.168.7.9")).answer ?? "none");
      const [first = ""] = [...names].map((text) => text.split(" ")[0]);
      assert.deepEqual(
        [...names],
        [`${first} ${at("10.42.0.1")}`],
        "one endpoint for all addresses of the port",
      );
      const left = [A, B, C].filter(({ ip }) => !{ a: A, b: B, c: C }[first]?.ip.includes(ip));
      await endpoints(left);
      const next = await tcp("client", "10.43.0.7");
      assert.notEqual(next.answer?.split(" ")[0], first);
      await endpoints([A, B, C]);
      assert.deepEqual(await tcp("client", "10.43.0.7"), next, "stays although the first one is back");
    });

    test("load balancer addresses: VIP is served within source ranges, Proxy is left alone", async () => {
      const ingress = [{ ip: "192.168.7.7" }, { ip: "192.168.7.8", ipMode: "Proxy" }];
      const shape: ServiceShape = { type: "LoadBalancer", ingress };
      await serve({ ...shape, loadBalancerSourceRanges: ["192.168.9.0/24"] }, [A]);
      assert.deepEqual(await tcp("client", "192.168.7.7"), answer("a", CLIENT));
      assert.deepEqual(await tcp("b", "192.168.7.7", 80, SILENCE), { error: "silence" });
      await serve({ ...shape, externalIPs: ["192.168.7.9"] }, [A]);
      assert.deepEqual(await tcp("b", "192.168.7.9"), answer("a", "10.42.0.1"));
    });

    test("a restart takes over what stands: no element changes, connections stay, and news is served", async () => {
      await serve({ sessionAffinity: "ClientIP" }, [A, B]);
      const { connection = -1, answer: first } = await world.tell("client", {
        do: "hold",
        host: at("10.43.0.7"),
        port: 80,
        waitMs: WAIT,
      });
      const list = () => world.net.nft.list("list ruleset").replace(/expires \S+/g, "");
      const standing = list();
      await proxy[Symbol.asyncDispose]();
      const next = new TestProxy(world);
      for (const service of proxy.services.list()) next.services.put(service);
      for (const slice of proxy.slices.list()) next.slices.put(slice);
      await next.start();
      assert.equal(list(), standing);
      proxy = next;
      assert.deepEqual(await world.tell("client", { do: "say", connection, waitMs: WAIT }), {
        answer: first,
      });
      assert.deepEqual(await tcp("client", "10.43.0.7"), { answer: first }, "still remembered");
      await endpoints([C]);
      assert.deepEqual(await tcp("client", "10.43.0.7"), answer("c", "10.42.0.1"));
    });

    test("another version of the program takes its place at once: nobody is refused, connections stay", async () => {
      await serve({}, [B]);
      const held = await world.tell("a", { do: "hold", host: at("10.43.0.7"), port: 80, waitMs: WAIT });
      let isOver = false;
      const storm = (async () => {
        const failed: unknown[] = [];
        for (let n = 0; !isOver; n++) {
          const reply = await tcp("a", "10.43.0.7");
          if (reply.answer === undefined) failed.push({ n, reply });
        }
        return failed;
      })();
      const versions = [{ ...TEST_CONFIG, masqueradeAll: true }, TEST_CONFIG];
      for (const config of [...versions, ...versions]) {
        await proxy[Symbol.asyncDispose]();
        const next = new TestProxy(world, config);
        for (const service of proxy.services.list()) next.services.put(service);
        for (const slice of proxy.slices.list()) next.slices.put(slice);
        await next.start();
        assert.deepEqual(next.faults, []);
        proxy = next;
        const client = config.masqueradeAll ? "10.42.0.1" : "10.42.0.2";
        assert.deepEqual(await tcp("a", "10.43.0.7"), answer("b", client));
      }
      isOver = true;
      assert.deepEqual(await storm, []);
      const { connection = -1 } = held;
      const again = await world.tell("a", { do: "say", connection, waitMs: WAIT });
      assert.deepEqual(again, answer("b", "10.42.0.2"));
    });

    test("endpoints that come and go under traffic refuse nobody", async () => {
      await serve({}, [A, B]);
      let isOver = false;
      const storm = (async () => {
        const failed: unknown[] = [];
        for (let n = 0; !isOver; n++) {
          const reply = await tcp("client", "10.43.0.7");
          if (reply.answer === undefined) failed.push({ n, reply });
        }
        return failed;
      })();
      for (let n = 0; n < 100; n++) await endpoints([[A], [A, B, C], [C, B], [B]][n % 4] ?? []);
      isOver = true;
      assert.deepEqual(await storm, []);
    });

    test("a packet between two states finds an endpoint, whatever the count it was told", async () => {
      const table = family === 4 ? "ip" : "ip6";
      const change = (set: string, op: "add" | "delete", elements: readonly NftElement[]) =>
        world.net.nft.changeElements([{ op, set: { family: table, table: "twill-service", set }, elements }]);
      for (const sessionAffinity of ["None", "ClientIP"]) {
        await serve({ sessionAffinity, ...MASQUERADED }, [A, B, C]);
        // As if frontends had been read before the change to one endpoint, and endpoints after it.
        const gone = ["endpoints", "sticky-ids", "sticky-choices"].map((set) => {
          const all = world.net.nft.listElements({ family: table, table: "twill-service", set });
          const isFirst = (key: Uint8Array) => set === "endpoints" && key.at(-4) === 0;
          return [set, all.filter(({ key }) => !isFirst(key))] as const;
        });
        for (const [set, elements] of gone) change(set, "delete", elements);
        const before = fallbacks(table);
        for (const from of ["a", "node", "client"] as const)
          for (let i = 0; i < 12; i++)
            assert.ok((await tcp(from, "10.43.0.7")).answer, `${from}, affinity ${sessionAffinity}`);
        assert.ok(fallbacks(table) > before + 6, "the last rule was asked");
        for (const [set, elements] of gone) change(set, "add", elements);
      }
    });

    test("whatever changes of a service with a ready endpoint, nobody is refused, lost or late", async () => {
      const local: ServiceShape = { externalTrafficPolicy: "Local" };
      const sticky: ServiceShape = { sessionAffinity: "ClientIP" };
      const states: readonly (readonly [ServiceShape, readonly EndpointShape[]])[] = [
        [{}, [A, B, C]],
        [{}, [A]],
        [{}, [B, C]],
        [local, [A, B]],
        [local, [B]],
        [{ ...local, ...sticky }, [A, B]],
        [sticky, [A, B, C]],
        [sticky, [A]],
        [sticky, [B, C]],
        [{ ...sticky, ...MASQUERADED }, [C, A]],
        [MASQUERADED, [C]],
        [MASQUERADED, [B, A, C]],
      ];
      const ports = servicePorts.slice(0, 1);
      await serve({ ports }, [A, B, C]);
      const storm = (from: Host, host: string, port: number) =>
        world.tell(from, { do: "storm", host: at(host), port, waitMs: WAIT });
      // Neighbours are known before anybody is called late.
      await tcp("client", "192.168.9.1", 30080);
      await storm("client", "192.168.9.1", 30080);
      await storm("client", "10.43.0.7", 80);
      await storm("a", "10.43.0.7", 80);
      await storm("node", "192.168.9.1", 30080);
      let seed = 7;
      for (let n = 0; n < 800; n++) {
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        const [shape, list] = states[n < states.length ? n : seed % states.length] ?? [{}, [A]];
        await serve({ ports, ...shape }, list);
      }
      for (const from of ["client", "a", "node"] as const) {
        const { storm: seen } = await world.tell(from, { do: "calm" });
        assert.deepEqual(seen?.failed, {}, from);
        assert.ok((seen?.answered ?? 0) > 100, `${from}: ${seen?.answered}`);
      }
    });

    // They cost seconds, and differ in nothing but the length of their addresses.
    const once = { skip: family === 6 && "IPv4 will do" };
    test("ten thousand endpoints stand, with affinity too, and give way to one", once, async () => {
      const many = Array.from({ length: 10_000 }, (_, i) => ({ ip: `10.42.${9 + (i >> 8)}.${i & 255}` }));
      const ports = servicePorts.slice(0, 1);
      for (const sessionAffinity of ["None", "ClientIP"]) {
        await serve({ ports, sessionAffinity, type: "ClusterIP" }, many);
        await endpoints([A]);
        assert.deepEqual(await tcp("b", "10.43.0.7"), answer("a", "10.42.0.3"));
      }
    });

    test("what somebody takes out of the tables comes back by itself", async () => {
      await serve({}, [A]);
      const nft = family === 4 ? "ip" : "ip6";
      const at80 = `{ ${at("10.43.0.7")} . tcp . 80 }`;
      for (const text of [
        `flush chain ${nft} twill-service services`,
        `delete element ${nft} twill-service frontends ${at80}`,
      ]) {
        execFileSync("ip", ["netns", "exec", world.ns("node"), "nft", text]);
        const deadline = performance.now() + 15_000;
        while ((await tcp("b", "10.43.0.7", 80, SILENCE)).answer === undefined)
          assert.ok(performance.now() < deadline, text);
      }
      proxy.faults.splice(0);
    });

    test("a service that is deleted leaves its connections alone", async () => {
      const service = await serve({}, [A]);
      const to = { host: at("10.43.0.7"), port: 80, waitMs: WAIT };
      const { connection = -1 } = await world.tell("b", { do: "hold", ...to });
      await proxy.change(() => proxy.services.remove(service));
      assert.deepEqual(
        await world.tell("b", { do: "say", connection, waitMs: WAIT }),
        answer("a", "10.42.0.3"),
      );
      assert.deepEqual(await tcp("b", "10.43.0.7", 80, SILENCE), { error: "silence" });
    });

    test("a deleted service leaves nothing behind", async () => {
      const service = await serve({}, [A]);
      await proxy.change(() => {
        proxy.services.remove(service);
        for (const slice of proxy.slices.list()) proxy.slices.remove(slice);
      });
      const table = family === 4 ? "ip" : "ip6";
      for (const set of ["frontends", "endpoints", "cluster-ips", "no-endpoints", "sticky-slots"])
        assert.deepEqual(world.net.nft.listElements({ family: table, table: "twill-service", set }), [], set);
      assert.deepEqual(await tcp("a", "10.43.0.7", 80, SILENCE), { error: "silence" });
    });

    test("a table that somebody removed comes back", async () => {
      await serve({}, [A]);
      world.net.nft.run("delete table ip twill-service\ndelete table ip6 twill-service");
      await endpoints([B]);
      assert.match(
        proxy.faults.splice(0)[0]?.message ?? "",
        /^Cannot delete elements of set "\w+" .* not found$/,
      );
      await proxy.change(() => {});
      assert.deepEqual(await tcp("a", "10.43.0.7"), answer("b", "10.42.0.2"));
    });
  });
}
