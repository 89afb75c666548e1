import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient } from "#kube/client";
import { openFakeClient } from "#kube/fake/client";
import { lead } from "#kube/leader-election";
import { EVENTS, LEASES } from "#kube/resources";
import { HandClock } from "#life/testing/hand-clock";
import { openLog } from "#telemetry/log";

const log = openLog({ write: () => {}, level: "error" });
const lease = { namespace: "kube-system", name: "kube-controller-manager" };

/** What ran, by candidate; the check is that no two ever do at a time. */
class Stage {
  readonly acting = new Set<string>();
  readonly turns: string[] = [];

  play(name: string): (signal: AbortSignal) => Promise<void> {
    return async (signal) => {
      this.acting.add(name);
      this.turns.push(name);
      assert.ok(this.acting.size === 1, `${[...this.acting].join(" and ")} act at once`);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      this.acting.delete(name);
    };
  }
}

function candidate(client: KubeClient, clock: HandClock, stage: Stage, identity: string) {
  const abort = new AbortController();
  const options = { ...lease, identity, clock, log, signal: abort.signal, random: () => 0.5 };
  const ended = lead(client, options, stage.play(identity));
  return {
    leave: async () => {
      abort.abort();
      await ended;
    },
  };
}

/** Calls that never come back, from the moment the server is pulled away. */
function pluggable(client: KubeClient) {
  let isAway = false;
  const through = new Proxy(client, {
    get: (target, name: keyof KubeClient) => {
      const method = target[name];
      return (...args: unknown[]) => (isAway ? new Promise(() => {}) : Reflect.apply(method, target, args));
    },
  });
  return {
    through,
    pull: () => {
      isAway = true;
    },
    plug: () => {
      isAway = false;
    },
  };
}

async function pass(clock: HandClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 500) await clock.pass(500);
}

test("one leads; the other follows at once when it leaves", async () => {
  const clock = new HandClock();
  const client = openFakeClient({ clock });
  const stage = new Stage();
  const a = candidate(client, clock, stage, "a");
  await pass(clock, 1_000);
  const b = candidate(client, clock, stage, "b");
  await pass(clock, 60_000);
  assert.deepEqual(stage.turns, ["a"]);
  await a.leave();
  const { spec } = await client.get(LEASES, lease);
  assert.deepEqual([spec?.holderIdentity, spec?.leaseDurationSeconds], ["", 1]);
  await pass(clock, 5_000);
  assert.deepEqual([...stage.acting], ["b"]);
  const after = await client.get(LEASES, lease);
  assert.equal(after.spec?.leaseTransitions, 1);
  assert.match(after.spec?.renewTime ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.ok((await client.list(EVENTS)).items.some(({ message }) => message === "b became leader"));
  await b.leave();
});

test("a leader that is cut off stops before another begins, and is a follower when it comes back", async () => {
  const clock = new HandClock();
  const client = openFakeClient({ clock });
  const stage = new Stage();
  const wire = pluggable(client);
  const a = candidate(wire.through, clock, stage, "a");
  await pass(clock, 1_000);
  const b = candidate(client, clock, stage, "b");
  await pass(clock, 10_000);
  wire.pull();
  await pass(clock, 12_500);
  assert.deepEqual([...stage.acting], [], "a has given up, b may not begin yet");
  await pass(clock, 10_000);
  assert.deepEqual([...stage.acting], ["b"]);
  wire.plug();
  await pass(clock, 60_000);
  assert.deepEqual(stage.turns, ["a", "b"]);
  await Promise.all([a.leave(), b.leave()]);
});

test("whoever died is followed after the lease it asked for, however wrong its clock was", async () => {
  const clock = new HandClock();
  const client = openFakeClient({ clock });
  const dead = {
    holderIdentity: "dead",
    leaseDurationSeconds: 15,
    acquireTime: "2030-01-01T00:00:00.000000Z",
    renewTime: "2030-01-01T00:00:00.000000Z",
    leaseTransitions: 7,
  };
  await client.create(LEASES, { metadata: lease, spec: dead });
  const stage = new Stage();
  const a = candidate(client, clock, stage, "a");
  await pass(clock, 14_000);
  assert.deepEqual(stage.turns, []);
  await pass(clock, 7_000);
  assert.deepEqual(stage.turns, ["a"]);
  assert.equal((await client.get(LEASES, lease)).spec?.leaseTransitions, 8);
  await a.leave();
});

test("a candidate that comes back under its own name goes on at once", async () => {
  const clock = new HandClock();
  const client = openFakeClient({ clock });
  const spec = { holderIdentity: "a", leaseDurationSeconds: 15, leaseTransitions: 3 };
  await client.create(LEASES, { metadata: lease, spec });
  const stage = new Stage();
  const a = candidate(client, clock, stage, "a");
  await pass(clock, 500);
  assert.deepEqual(stage.turns, ["a"]);
  assert.equal((await client.get(LEASES, lease)).spec?.leaseTransitions, 3);
  await a.leave();
});

test("of many candidates that come at once, one leads", async () => {
  const clock = new HandClock();
  const client = openFakeClient({ clock });
  const stage = new Stage();
  const all = Array.from({ length: 8 }, (_, i) => candidate(client, clock, stage, `c${i}`));
  for (let round = 0; round < 4; round++) {
    await pass(clock, 10_000);
    const [leader] = [...stage.acting];
    assert.ok(leader !== undefined && stage.acting.size === 1);
    await all[Number(leader.slice(1))]?.leave();
  }
  assert.equal(new Set(stage.turns).size, 4);
  await Promise.all(all.map((one) => one.leave()));
});
