import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { parseIpPrefix } from "#addr/cidr";
import type { Fault } from "#fault/fault";
import { type FakeKernel, openFakeKernel } from "#kernel/fake/kernel";
import type { EndpointSlice, Node, Service } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import { silentLog } from "#telemetry/log";
import { decodeElement } from "./element-codec.ts";
import { runServiceProxy } from "./run.ts";
import { TEST_CONFIG } from "./testing/config.ts";
import { MemoryInformer } from "./testing/memory-informer.ts";
import { serviceObject, sliceObject } from "./testing/objects.ts";

const FRONTENDS = { family: "ip", table: "twill-service", set: "frontends" } as const;
const A = { ip: "10.42.0.2", nodeName: "here" };
const B = { ip: "10.42.0.3", nodeName: "here" };

/** Waits of a retry pass at once; the slow look after the tables comes when it is told. */
class HandClock implements Clock {
  #slow: (() => void) | undefined;

  now(): number {
    return 0;
  }

  sleep(ms: number, { signal }: { signal: AbortSignal }): Promise<void> {
    if (ms < 30_000) return new Promise((resolve) => setImmediate(resolve));
    return new Promise((resolve, reject) => {
      this.#slow = resolve;
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  passSlowly(): void {
    this.#slow?.();
  }
}

class Run implements AsyncDisposable {
  readonly services = new MemoryInformer<Service>();
  readonly slices = new MemoryInformer<EndpointSlice>();
  readonly clock = new HandClock();
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #rounds: ((round: { ops: number; faults: readonly Fault[] }) => void)[] = [];
  readonly nodes = new MemoryInformer<Node>();

  constructor(kernel: FakeKernel) {
    this.#running = runServiceProxy({
      kernel,
      services: this.services,
      endpointSlices: this.slices,
      nodes: this.nodes,
      nodeName: "here",
      config: TEST_CONFIG,
      clock: this.clock,
      log: silentLog,
      signal: this.#ending.signal,
      onRound: (round) => this.#rounds.shift()?.(round),
    });
  }

  round(): Promise<{ ops: number; faults: readonly Fault[] }> {
    return new Promise((resolve) => this.#rounds.push(resolve));
  }

  /** The outcome of the first round that nobody waits for yet. */
  start(): Promise<{ ops: number; faults: readonly Fault[] }> {
    this.services.sync();
    this.slices.sync();
    this.nodes.sync();
    return this.round();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }
}

/** The rules and elements of the IPv4 program. */
function standingIn(kernel: FakeKernel) {
  using filters = kernel.openFilters();
  const rules = filters.listTableRules({ family: "ip", table: "twill-service" });
  const elements = (["frontends", "endpoints"] as const).map((set) =>
    unlessGone(() =>
      kernel.nft.listElements({ ...FRONTENDS, set }).map((element) => decodeElement(4, set, element).key),
    ),
  );
  return {
    rules: rules.map(({ chain, expressions }) => ({ chain, expressions })),
    elements: elements.map((of) => of?.sort()),
  };
}

function unlessGone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function webOn(kernel: FakeKernel): Run {
  const { netlink } = kernel;
  const { index } = netlink.findLink("eth0") ?? netlink.addLink({ kind: "bridge", name: "eth0" });
  netlink.addAddress(index, parseIpPrefix("192.168.9.1/24"));
  const run = new Run(kernel);
  run.services.put(serviceObject({ type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] }));
  run.slices.put(sliceObject({ endpoints: [A, B] }));
  return run;
}

test("nothing is programmed before all informers have synced", async () => {
  const kernel = openFakeKernel();
  await using run = webOn(kernel);
  run.services.sync();
  run.nodes.sync();
  await new Promise((resolve) => setImmediate(resolve));
  assert.doesNotMatch(kernel.render(), /twill-service/);
  const round = run.round();
  run.slices.sync();
  assert.deepEqual((await round).faults, []);
  assert.equal(kernel.nft.listElements(FRONTENDS).length, 2);
});

test("a second run changes no element of the first one's", async () => {
  const kernel = openFakeKernel();
  const first = webOn(kernel);
  await first.start();
  await first[Symbol.asyncDispose]();
  const standing = kernel.render();
  const calls = kernel.calls.get("changeElements");
  await using second = webOn(kernel);
  assert.deepEqual((await second.start()).faults, []);
  assert.equal(kernel.render(), standing);
  assert.equal(kernel.calls.get("changeElements"), calls);
});

test("what the kernel refuses is tried again from what stands", async () => {
  const kernel = openFakeKernel();
  await using run = webOn(kernel);
  kernel.fail("changeElements", "EBUSY", 2);
  const seen = await Promise.all([run.start(), run.round(), run.round()]);
  assert.deepEqual(
    seen.map(({ faults }) => faults.map(({ code }) => code)),
    [["EBUSY"], ["EBUSY"], []],
  );
  assert.equal(kernel.nft.listElements(FRONTENDS).length, 2);
});

test("a burst of changes is one round", async () => {
  const kernel = openFakeKernel();
  await using run = webOn(kernel);
  await run.start();
  const calls = kernel.calls.get("changeElements") ?? 0;
  const round = run.round();
  for (let n = 2; n < 50; n++) run.slices.put(sliceObject({ endpoints: [{ ip: `10.42.0.${n}` }] }));
  await round;
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(kernel.calls.get("changeElements"), calls + 1);
});

for (const [what, text] of [
  ["a table that is gone", "delete table ip twill-service"],
  ["a frontend that is gone", "delete element ip twill-service frontends { 10.43.0.7 . tcp . 80 }"],
  ["a map that is empty", "flush map ip twill-service endpoints"],
  ["a chain that is empty", "flush chain ip twill-service strangers"],
  ["a chain with another rule", "add rule ip twill-service services accept"],
] as const)
  test(`${what} comes back without any change of an object`, { timeout: 5000 }, async () => {
    const kernel = openFakeKernel();
    await using run = webOn(kernel);
    await run.start();
    const tables = () => standingIn(kernel);
    const standing = tables();
    kernel.foreign.nft.run(text);
    assert.notDeepEqual(tables(), standing);
    // It is heard of: nobody has to wait for the slow look.
    while (!isDeepStrictEqual(tables(), standing)) await run.round();
  });

test("what others do in their own tables changes nothing here", async () => {
  const kernel = openFakeKernel();
  await using run = webOn(kernel);
  await run.start();
  const changes = kernel.calls.get("changeElements");
  for (let n = 0; n < 5; n++) {
    const round = run.round();
    kernel.foreign.nft.run(`add table ip other\nadd chain ip other c${n}`);
    assert.deepEqual((await round).faults, []);
  }
  assert.equal(kernel.calls.get("changeElements"), changes);
});

test("a node address that changes takes its NodePorts along, whoever changed it", async () => {
  const kernel = openFakeKernel();
  await using run = webOn(kernel);
  await run.start();
  const { index = 0 } = kernel.netlink.findLink("eth0") ?? {};
  for (const [i, { netlink }] of [kernel.foreign, kernel].entries()) {
    const round = run.round();
    netlink.addAddress(index, parseIpPrefix(`192.168.9.${5 + i}/24`));
    await round;
    assert.equal(kernel.nft.listElements(FRONTENDS).length, 3 + i);
  }
});
