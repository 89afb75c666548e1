import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Ip, parseIp } from "#addr/ip";
import type { EchoOutcome } from "./exchange.ts";
import { lookAt } from "./look.ts";
import type { ProbeTarget } from "./model.ts";

const TUNNEL_END = parseIp("10.42.3.0");
const NODE = parseIp("192.0.2.13");
const TARGET: ProbeTarget = {
  node: "three",
  family: 4,
  kind: "vxlan",
  device: "flannel.1",
  to: [TUNNEL_END],
  underlay: NODE,
  mtuBytes: 1450,
};
const never = new AbortController().signal;

interface World {
  /** What fits on the way to an address that answers. */
  readonly fits?: ReadonlyMap<Ip, number>;
  /** A router tells what fits, in its own opinion. */
  readonly hint?: number;
  readonly answersDatagrams?: boolean;
  /** The echo with this number, counted from one, is lost. */
  readonly loses?: (count: number) => boolean;
}

/** Asks of a world on paper. */
function paper({ fits = new Map(), hint, answersDatagrams = false, loses = () => false }: World) {
  const asked: number[] = [];
  return {
    asked,
    exchange: {
      async echo(to: Ip, packetBytes: number): Promise<EchoOutcome> {
        asked.push(packetBytes);
        const most = fits.get(to);
        if (most === undefined || loses(asked.length)) return { kind: "lost" };
        if (packetBytes <= most) return { kind: "answered", roundTripUs: 300 };
        return hint === undefined ? { kind: "lost" } : { kind: "too-big", mtuBytes: hint };
      },
      async datagram() {
        return answersDatagrams;
      },
    },
  };
}

async function look(world: World, change: Partial<ProbeTarget> = {}, knownMtuBytes?: number) {
  const { asked, exchange } = paper(world);
  const sighting = await lookAt({ ...TARGET, ...change }, { exchange, signal: never, knownMtuBytes });
  return { asked, sighting };
}

test("a good way takes one packet, as large as may be", async () => {
  const { asked, sighting } = await look({ fits: new Map([[TUNNEL_END, 1500]]) });
  assert.deepEqual(asked, [1450]);
  assert.deepEqual(sighting, { kind: "seen", at: TUNNEL_END, roundTripUs: 300, mtuBytes: 1450 });
});

test("one large packet that was only unlucky says nothing", async () => {
  const { sighting } = await look({ fits: new Map([[TUNNEL_END, 1500]]), loses: (count) => count === 1 });
  assert.equal(sighting.kind === "seen" && sighting.mtuBytes, 1450);
});

describe("what fits is found to the byte", () => {
  for (const fits of [100, 101, 576, 1279, 1280, 1350, 1448, 1449])
    for (const hint of [undefined, fits, fits - 7, fits + 9, 0, 65_535])
      test(`${fits} bytes, and routers say ${hint ?? "nothing"}`, async () => {
        const { asked, sighting } = await look({
          fits: new Map([[TUNNEL_END, fits]]),
          ...(hint !== undefined && { hint }),
        });
        assert.equal(sighting.kind === "seen" && sighting.mtuBytes, fits);
        assert.ok(asked.length < 40, `${asked.length} packets`);
      });
});

test("what fitted last time is tried first", async () => {
  const fits = new Map([[TUNNEL_END, 1350]]);
  const { asked, sighting } = await look({ fits, hint: 1350 }, {}, 1350);
  assert.equal(sighting.kind === "seen" && sighting.mtuBytes, 1350);
  assert.ok(asked.length <= 5, asked.join());
});

test("a node without pods has no gateway for them yet: its own address answers", async () => {
  const { sighting } = await look(
    { fits: new Map([[NODE, 1500]]) },
    { kind: "host-gw", device: "eth0", to: [parseIp("10.42.3.1"), NODE], mtuBytes: 1500 },
  );
  assert.deepEqual(sighting, { kind: "seen", at: NODE, roundTripUs: 300, mtuBytes: 1500 });
});

test("where echoes are filtered, a datagram tells that the node is there, and nothing more", async () => {
  const { sighting } = await look({ answersDatagrams: true });
  assert.deepEqual(sighting, { kind: "seen", at: TUNNEL_END });
});

test("a silent node costs five packets", async () => {
  const { asked, sighting } = await look({});
  assert.deepEqual(sighting, { kind: "silent" });
  assert.deepEqual(asked, [1450, 100, 100, 100]);
});
