import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "#life/clock";
import { systemClock } from "#life/clock";
import type { FoundImage } from "../runtime/runtime.ts";
import { type PullLimits, Pulls } from "./pulls.ts";

const IMAGE: FoundImage = { imageRef: "x" };
const never = new AbortController().signal;

/** A registry that answers when it is told to. */
class Registry {
  readonly begun: string[] = [];
  readonly ended: string[] = [];
  readonly #answers: (() => void)[] = [];
  readonly pulls: Pulls;

  constructor(limits?: PullLimits, clock: Clock = systemClock) {
    const pullImage = async (name: string, { signal }: { signal: AbortSignal }) => {
      this.begun.push(name);
      await new Promise<void>((resolve, reject) => {
        this.#answers.push(resolve);
        signal.addEventListener("abort", () => {
          this.ended.push(name);
          reject(signal.reason);
        });
      });
      return IMAGE;
    };
    this.pulls = new Pulls({ runtime: { pullImage }, clock, limits });
  }

  answer(): void {
    for (const answer of this.#answers.splice(0)) answer();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("those who want one image at a time share one transfer", async () => {
  const registry = new Registry();
  const wishes = Array.from({ length: 50 }, () => registry.pulls.pull("a", [], { signal: never }));
  await settled();
  registry.answer();
  for (const { image } of await Promise.all(wishes)) assert.equal(image, IMAGE);
  assert.deepEqual(registry.begun, ["a"]);
  const again = registry.pulls.pull("a", [], { signal: never });
  await settled();
  assert.equal(registry.begun.length, 2);
  registry.answer();
  await again;
});

test("a transfer goes on while one waits, and ends with the last", async () => {
  const registry = new Registry();
  const [one, two] = [new AbortController(), new AbortController()];
  const wishes = [one, two].map(({ signal }) => registry.pulls.pull("a", [], { signal }));
  const reasons = wishes.map((wish) => wish.catch((error: unknown) => error));
  await settled();
  one.abort("gone");
  assert.equal(await reasons[0], "gone");
  assert.deepEqual(registry.ended, []);
  two.abort("gone too");
  assert.equal(await reasons[1], "gone too");
  assert.deepEqual(registry.ended, ["a"]);
});

test("so many at a time; who leaves the queue is not waited for", async () => {
  const registry = new Registry({ atOnce: 1, perSecond: 0, burst: 0 });
  const leaver = new AbortController();
  const first = registry.pulls.pull("a", [], { signal: never });
  const second = registry.pulls.pull("b", [], { signal: leaver.signal }).catch(() => "left");
  const third = registry.pulls.pull("c", [], { signal: never });
  await settled();
  assert.deepEqual(registry.begun, ["a"]);
  leaver.abort();
  assert.equal(await second, "left");
  registry.answer();
  await first;
  await settled();
  assert.deepEqual(registry.begun, ["a", "c"]);
  registry.answer();
  await third;
});

test("so many a second, after so many at once", async () => {
  let now = 0;
  const slept: number[] = [];
  const clock: Clock = {
    now: () => now,
    sleep: async (ms) => {
      slept.push(ms);
    },
  };
  const registry = new Registry({ atOnce: 0, perSecond: 5, burst: 3 }, clock);
  const pull = (name: string) => registry.pulls.pull(name, [], { signal: never });
  const wishes = ["a", "b", "c", "d", "e"].map(pull);
  await settled();
  assert.deepEqual(slept, [200, 400]);
  now = 10_000;
  wishes.push(pull("f"));
  await settled();
  assert.deepEqual(slept, [200, 400]);
  registry.answer();
  await Promise.all(wishes);
});
