import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { ClusterIps } from "./cluster-ips.ts";
import { Ledger } from "./ledger.ts";
import { NodePorts } from "./node-ports.ts";
import { pickFree, type Random, reservedIps, reservedPorts } from "./pool.ts";

/** Numbers that look random and are the same each time. */
function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return state % below;
  };
}

test("how much is kept for those who choose", () => {
  const ips = [16, 17, 256, 4096, 65536, 2 ** 40].map(reservedIps);
  assert.deepEqual(ips, [0, 16, 16, 256, 256, 256]);
  assert.deepEqual([16, 32, 2768, 100_000].map(reservedPorts), [0, 16, 86, 128]);
});

test("every number is handed out once, the reserved ones last, whatever the dice say", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const range = { first: 10, last: 60, reserved: 16 };
    const taken = new Set<number>();
    const random = seeded(seed);
    for (let i = 0; i < 51; i++) {
      const n = pickFree(range, (at) => taken.has(at), random);
      assert.ok(n !== undefined && n >= 10 && n <= 60 && !taken.has(n), `seed ${seed}`);
      assert.equal(n < 26, i >= 35, `seed ${seed}, pick ${i} was ${n}`);
      taken.add(n);
    }
    assert.equal(
      pickFree(range, (at) => taken.has(at), random),
      undefined,
    );
  }
});

const networks = [
  { cidr: "10.43.0.0/16", first: "10.43.1.1", edge: ["10.43.0.0", "10.43.255.255"], last: "10.43.255.254" },
  { cidr: "10.43.0.0/29", first: "10.43.0.1", edge: ["10.43.0.0", "10.43.0.7"], last: "10.43.0.6" },
  { cidr: "2001:db8::/112", first: "2001:db8::101", edge: ["2001:db8::"], last: "2001:db8::ffff" },
  {
    cidr: "2001:db8::/64",
    first: "2001:db8::101",
    edge: ["2001:db8::"],
    last: "2001:db8::ffff:ffff:ffff:ffff",
  },
];

for (const { cidr, first, edge, last } of networks)
  test(`addresses of ${cidr}`, () => {
    const ips = new ClusterIps(parseCidr(cidr), () => 0);
    assert.deepEqual(ips.takeNext("a"), { kind: "taken", ip: first });
    assert.deepEqual(ips.take("a", first), { kind: "taken", ip: first });
    assert.equal(ips.take("b", first).kind, "refused");
    assert.deepEqual(ips.take("b", last), { kind: "taken", ip: last });
    for (const ip of edge) assert.equal(ips.take("b", ip).kind, "refused", ip);
  });

test("node ports start above the reserved band", () => {
  const ports = new NodePorts({ from: 30000, to: 32767 }, () => 0);
  assert.deepEqual(ports.takeNext("a"), { kind: "taken", port: 30086 });
  assert.deepEqual(ports.take("b", 30000), { kind: "taken", port: 30000 });
  assert.equal(ports.take("b", 29999).kind, "refused");
});

test("a ledger settled at random holds exactly what the last settlements said", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seeded(seed);
    const ledger = new Ledger<number>();
    const truth = new Map<string, Set<number>>();
    for (let step = 0; step < 300; step++) {
      const holder = `h${random(5)}`;
      const others = [...truth].filter(([name]) => name !== holder).flatMap(([, held]) => [...held]);
      const asked = Array.from({ length: random(4) }, () => random(20));
      if (random(3) === 0) for (const value of asked) ledger.take(holder, value);
      ledger.settle(holder, asked);
      truth.set(holder, new Set(asked.filter((value) => !others.includes(value))));
      for (let value = 0; value < 20; value++) {
        const owner = [...truth].find(([, held]) => held.has(value))?.[0];
        assert.equal(ledger.isTaken(value), owner !== undefined, `seed ${seed} step ${step} value ${value}`);
        if (owner !== undefined) assert.ok(ledger.isHeldBy(owner, value));
      }
    }
  }
});
