import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fault } from "#fault/fault";
import { StartFailures } from "./start-failures.ts";

const IMAGE = "r.io/app:1";
const refused = new Fault("ErrImagePull", "no");
const waiting = new Fault("ImagePullBackOff", "later");

describe("when a container that failed to start is tried again", () => {
  const open = () => {
    let now = 0;
    const failures = new StartFailures({ now: () => now, sleep: async () => {} });
    return {
      failures,
      at: (seconds: number) => {
        now = seconds * 1000;
      },
    };
  };

  test("a refusal is shown for 2 s; its image is looked for every 10 s, its registry asked after 10, 20, 40 ... 300 s", () => {
    const { failures, at } = open();
    const waits: number[] = [];
    for (let second = 0, asked = 0; waits.length < 8; second++) {
      at(second);
      if (failures.isHeld("c")) continue;
      const isDue = failures.refusal(IMAGE) === undefined;
      if (isDue && second > 0) waits.push(second - asked);
      if (isDue) asked = second;
      failures.add("c", isDue ? refused : waiting, IMAGE);
      assert.equal(failures.waiting().get("c")?.reason, isDue ? "ErrImagePull" : "ImagePullBackOff");
      assert.ok((failures.nextChangeAt() ?? 0) <= (second + (isDue ? 2 : 10)) * 1000);
    }
    assert.deepEqual(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
  });
  test("all containers of the pod wait for one image together; another image is not meant", () => {
    const { failures, at } = open();
    failures.add("a", refused, IMAGE);
    assert.equal(failures.isHeld("b"), false);
    assert.equal(failures.refusal(IMAGE), refused);
    assert.equal(failures.refusal("r.io/app:2"), undefined);
    at(10);
    assert.equal(failures.refusal(IMAGE), undefined);
  });
  test("after ten minutes without a refusal it begins anew", () => {
    const { failures, at } = open();
    for (const second of [0, 10, 30]) {
      at(second);
      failures.add("c", refused, IMAGE);
    }
    failures.clear("c");
    at(631);
    failures.add("c", refused, IMAGE);
    at(641);
    assert.equal(failures.refusal(IMAGE), undefined);
  });
  for (const [code, seconds] of [
    ["ErrImageNeverPull", 10],
    ["InvalidImageName", 10],
    ["ImageInspectError", 10],
    ["CreateContainerConfigError", 5],
    ["RunContainerError", 5],
  ] as const)
    test(`${code} is looked at again after ${seconds} s, each time`, () => {
      const { failures, at } = open();
      for (const round of [0, 1, 2]) {
        at(round * 100);
        failures.add("c", new Fault(code, "x"), IMAGE);
        at(round * 100 + seconds - 1);
        assert.ok(failures.isHeld("c"));
        at(round * 100 + seconds);
        assert.ok(!failures.isHeld("c"));
      }
    });
});
