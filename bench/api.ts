/** What the API costs: durable creates, lists, fan-out to watchers, memory and start-up of a server in a process of its own,
 *  over TLS. Beside it etcd, on the same disk: the store alone, where ours is the whole API. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { forkRig, type RigChild } from "#apiserver/testing/rig-child";
import { openStore } from "#store/open";
import { Connections, closedLoop, exchange, type Load, paced, summary, Watchers } from "./api-load.ts";
import { podText, serviceText } from "./api-objects.ts";
import { measureEtcd } from "./etcd.ts";
import { startKubeApiserver } from "./kube-apiserver.ts";

const RUN_MS = 5000;
const PER_SECOND = 500;
const PODS = 10_000;
const SERVICES = 1000;
const WATCHERS = 1000;
const CHANGES = 100;
const MANY_OBJECTS = 100_000;
const TICKS_PER_SECOND = 100;
const AIMS = { pacedP99Ms: 10, fanOutP99Ms: 100, rssMib: 250 };

/** As the launcher starts the program. */
const FLAGS: readonly string[] = ["--max-semi-space-size=4", "--heap-growing-percent=50"];

/** Prints each figure with its aim where there is one. Leaves nothing behind. */
export async function benchApi({ runMs = RUN_MS, execArgv = FLAGS } = {}): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "twill-bench-api-"));
  try {
    await benchCreates(directory, runMs, execArgv);
    await benchFull(join(directory, "full"), execArgv);
    await benchStart(join(directory, "many"), execArgv);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function benchCreates(directory: string, runMs: number, execArgv: readonly string[]): Promise<void> {
  const path = join(directory, "creates");
  await using rig = await forkRig({ directory: path, execArgv });
  await using pool = new Connections(rig, 50);
  const create = await creator(pool);
  await closedLoop((i) => create(`warm-${i}`), { clients: 50, runMs: 2000 });
  say(`api: pods created, durable, over TLS, ${runMs / 1000} s each`);
  const cpu = cpuMeter(rig);
  const one = await closedLoop((i) => create(`one-${i}`), { clients: 1, runMs });
  sayLoad("one client", one, cpu());
  const fifty = await closedLoop((i) => create(`fifty-${i}`), { clients: 50, runMs });
  sayLoad("fifty clients", fifty, cpu());
  const steady = await paced((i) => create(`paced-${i}`), { perSecond: PER_SECOND, runMs });
  sayLoad(`paced, ${PER_SECOND} a second`, steady, cpu(), aim(steady.p99Ms, AIMS.pacedP99Ms, "p99", "ms"));
  await benchKubeApiserver(join(directory, "peer"), runMs, { fifty, steady });
  const value = podText("peer", "default").repeat(2);
  const peer = await measureEtcd(directory, { value, runMs, perSecond: PER_SECOND });
  if (peer === undefined) return say("  etcd is not to be had here");
  say(`etcd ${peer.version}: puts of ${value.length} bytes, no TLS`);
  sayLoad("one client", peer.one);
  sayLoad("fifty clients", peer.fifty);
  sayLoad(`paced, ${PER_SECOND} a second`, peer.paced);
  const ratio = (a: number, b: number) => `${(a / b).toFixed(2)}x`;
  const perS = ({ count, seconds }: Load) => count / seconds;
  say(
    `  of etcd's: ${ratio(perS(one), perS(peer.one))} with one client, ${ratio(perS(fifty), perS(peer.fifty))} with fifty; p99 ${ratio(fifty.p99Ms, peer.fifty.p99Ms)}, paced p99 ${ratio(steady.p99Ms, peer.paced.p99Ms)}`,
  );
}

/** Creates a pod of that name; pods need their namespace and its account. */
/** The same creates, sent to kube-apiserver. */
async function benchKubeApiserver(
  directory: string,
  runMs: number,
  ours: { readonly fifty: Load; readonly steady: Load },
): Promise<void> {
  await using peer = await startKubeApiserver(directory);
  if (peer === undefined) return say("kube-apiserver is not to be had here: name one with KUBE_APISERVER");
  await using pool = new Connections(peer.target, 50);
  const create = await creator(pool);
  await closedLoop((i) => create(`warm-${i}`), { clients: 50, runMs: 2000 });
  say(`kube-apiserver ${peer.version} over etcd: the same pods`);
  let used = peer.cpuSeconds();
  const cpu = () => {
    const before = used;
    used = peer.cpuSeconds();
    return used - before;
  };
  sayLoad("one client", await closedLoop((i) => create(`one-${i}`), { clients: 1, runMs }), cpu());
  const fifty = await closedLoop((i) => create(`fifty-${i}`), { clients: 50, runMs });
  sayLoad("fifty clients", fifty, cpu());
  const steady = await paced((i) => create(`paced-${i}`), { perSecond: PER_SECOND, runMs });
  sayLoad(`paced, ${PER_SECOND} a second`, steady, cpu());
  const rate = (load: Load) => load.count / load.seconds;
  const more = (rate(ours.fifty) / rate(fifty)).toFixed(2);
  const later = (ours.steady.p99Ms / steady.p99Ms).toFixed(2);
  say(
    `  of kube-apiserver's: ${more}x with fifty clients, paced p99 ${later}x; its memory ${peer.rssMib().toFixed(0)} MiB RSS`,
  );
}

async function creator(pool: Connections): Promise<(name: string) => Promise<void>> {
  await exchange(pool, { method: "POST", path: "/api/v1/namespaces", body: named("bench") });
  const accounts = "/api/v1/namespaces/bench/serviceaccounts";
  await exchange(pool, { method: "POST", path: accounts, body: named("default") });
  return async (name) => {
    const path = "/api/v1/namespaces/bench/pods";
    await exchange(pool, { method: "POST", path, body: podText(name, "bench") });
  };
}

function named(name: string): string {
  return JSON.stringify({ metadata: { name } });
}

async function benchFull(directory: string, execArgv: readonly string[]): Promise<void> {
  {
    await using rig = await forkRig({ directory, execArgv });
    await using pool = new Connections(rig, 50);
    await fill(pool);
    say(`api: with ${PODS} pods and ${SERVICES} services`);
    await settled(rig, "filled", AIMS.rssMib);
    await benchList(pool);
    await benchFanOut(rig, pool);
    await settled(rig, `with ${WATCHERS} connections`);
  }
  await using again = await forkRig({ directory, execArgv });
  say(`  process start to first answer  ${again.readyMs.toFixed(0)} ms`);
  await settled(again, "started again", AIMS.rssMib);
}

async function fill(pool: Connections): Promise<void> {
  const create = await creator(pool);
  const path = "/api/v1/namespaces/bench/services";
  const makers = Array.from({ length: 50 }, async (_, client) => {
    for (let i = client; i < PODS; i += 50) await create(`pod-${i}`);
    for (let i = client; i < SERVICES; i += 50)
      await exchange(pool, { method: "POST", path, body: serviceText(`web-${i}`, "bench") });
  });
  await Promise.all(makers);
}

async function benchList(pool: Connections): Promise<void> {
  for (const [what, query] of [
    ["list of all pods", ""],
    ["list by label, none found", "?labelSelector=app%3Dnone"],
    ["list in pages of 500", "?limit=500"],
  ] as const) {
    const times: number[] = [];
    let bytes = 0;
    for (let n = 0; n < 10; n++) {
      const from = performance.now();
      bytes = await exchange(pool, { method: "GET", path: `/api/v1/pods${query}` });
      times.push(performance.now() - from);
    }
    const { p50Ms, maxMs } = summary(times, 1);
    say(`  ${what.padEnd(30)}${p50Ms.toFixed(0)} ms, at most ${maxMs.toFixed(0)} ms (${bytes >> 10} KiB)`);
  }
}

async function benchFanOut(rig: RigChild, pool: Connections): Promise<void> {
  const path = "/api/v1/namespaces/bench/configmaps";
  await exchange(pool, { method: "POST", path, body: named("beacon") });
  const watch = `${path}?watch=1`;
  using watchers = await Watchers.open(rig, { path: watch, count: WATCHERS });
  const times: number[] = [];
  const cpu = cpuMeter(rig);
  const from = performance.now();
  for (let n = 0; n < CHANGES; n++) {
    const mark = `mark-${n}-`;
    const at = performance.now();
    const all = watchers.all(mark);
    const body = JSON.stringify({ data: { mark: mark.padEnd(500, "x") } });
    await exchange(pool, { method: "PATCH", path: `${path}/beacon`, body });
    await all;
    times.push(performance.now() - at);
  }
  const load = summary(times, (performance.now() - from) / 1000);
  sayLoad(
    `a change, to the last of ${WATCHERS}`,
    load,
    cpu(),
    aim(load.p99Ms, AIMS.fanOutP99Ms, "p99", "ms"),
  );
}

/** Start-up over a store of many objects. */
async function benchStart(directory: string, execArgv: readonly string[]): Promise<void> {
  await openStoreOf(directory);
  await using rig = await forkRig({ directory, execArgv });
  say(`api: with ${MANY_OBJECTS} pods in the store`);
  say(`  process start to first answer  ${rig.readyMs.toFixed(0)} ms`);
  await settled(rig, "started");
}

/** Lets a server write one pod, and copies it. */
async function openStoreOf(directory: string): Promise<void> {
  {
    await using rig = await forkRig({ directory });
    await using pool = new Connections(rig, 1);
    await (await creator(pool))("pod-x");
  }
  await using store = await openStore({ path: join(directory, "db", "state.db") });
  const one = [...store.replay()].flat().find(({ key }) => key.endsWith("/pod-x"));
  if (one?.value === undefined) throw new Error("no pod was stored");
  const { key, value } = one;
  for (let i = 0; i < MANY_OBJECTS; i += 1000)
    await Promise.all(
      Array.from({ length: 1000 }, (_, j) => {
        const name = `pod-${i + j}`;
        const text = value.replaceAll("pod-x", name);
        return store.write({ key: key.replace("pod-x", name), value: text, expected: 0 });
      }),
    );
}

async function settled(rig: RigChild, when: string, most?: number): Promise<void> {
  await wait(3000);
  const status = readFileSync(`/proc/${rig.pid}/status`, "utf8");
  const mib = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
  say(
    `  ${`memory, ${when}`.padEnd(30)}${mib.toFixed(0)} MiB RSS${most === undefined ? "" : aim(mib, most, "", "MiB")}`,
  );
}

/** Gives the seconds of processor that the server's process took since it was last asked. */
function cpuMeter({ pid }: RigChild): () => number {
  const ticks = () => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]);
  };
  let before = ticks();
  return () => {
    const now = ticks();
    const seconds = (now - before) / TICKS_PER_SECOND;
    before = now;
    return seconds;
  };
}

function aim(value: number, most: number, what: string, unit: string): string {
  return `; aim ${[what, `below ${most} ${unit}`].join(" ").trim()}: ${value < most ? "met" : "missed"}`;
}

function sayLoad(what: string, load: Load, cpuSeconds?: number, tail = ""): void {
  const cpu =
    cpuSeconds === undefined ? "" : `  ${((cpuSeconds * 1000) / load.count).toFixed(2)} ms CPU each`;
  const perSecond = (load.count / load.seconds).toFixed(0).padStart(6);
  say(
    `  ${what.padEnd(30)}${perSecond}/s  p50 ${load.p50Ms.toFixed(1)} ms  p99 ${load.p99Ms.toFixed(1)} ms${cpu}${tail}`,
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
