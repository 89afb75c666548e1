import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import { CLAIMS } from "#kernel/claims";
import { markText } from "./element-codec.ts";
import { type Backend, type Elements, setId } from "./model.ts";
import { groupMark, groupOf, STICKY_MARK, slotMark, slotOf } from "./sticky-mark.ts";
import { StickyNumbers } from "./sticky-numbers.ts";

const backend = (n: number): Backend => ({
  ip: parseIp(`10.42.0.${n}`),
  port: 80,
  isLocal: false,
  isReady: true,
  isLeaving: false,
  hints: { zones: [], nodes: [] },
});
const FRONTEND = "10.43.0.7 . tcp . 80";
const AT = { frontend: FRONTEND, isLocal: false };

test("a mark holds group, slot, and room for the masquerade bit", () => {
  const mark = slotMark(STICKY_MARK.groups, STICKY_MARK.slots);
  assert.equal(groupOf(mark), STICKY_MARK.groups);
  assert.equal(slotOf(mark), STICKY_MARK.slots);
  assert.equal(mark & CLAIMS.marks.masquerade, 0);
  assert.equal(groupOf(mark | CLAIMS.marks.masquerade), STICKY_MARK.groups);
  assert.equal((groupMark(1) & STICKY_MARK.flag) >>> 0, STICKY_MARK.flag);
});

test("an endpoint keeps its slot while it stays, and a slot is not soon used again", () => {
  const numbers = new StickyNumbers();
  const slots = (...backends: readonly Backend[]) => numbers.assign(4, "g", AT, backends).slots.map(slotOf);
  assert.deepEqual(slots(backend(1), backend(2)), [1, 2]);
  assert.deepEqual(slots(backend(2), backend(3)), [2, 3]);
  assert.deepEqual(slots(backend(2), backend(1)), [2, 4]);
});

test("groups are apart, by name and by family", () => {
  const numbers = new StickyNumbers();
  const group = (family: 4 | 6, name: string) => numbers.assign(family, name, AT, [backend(1)]).group;
  assert.equal(group(4, "one"), group(4, "one"));
  assert.notEqual(group(4, "one"), group(4, "two"));
});

test("what stood before a restart keeps its numbers, and new ones keep off them", () => {
  const standing: Elements = new Map([
    [setId(4, "sticky-ids"), new Map([[FRONTEND, markText(groupMark(1))]])],
    [setId(4, "sticky-slots"), new Map([[markText(slotMark(1, 1)), "10.42.0.2 . 80"]])],
  ]);
  const numbers = new StickyNumbers();
  numbers.adopt(4, standing);
  assert.notEqual(
    numbers.assign(4, "new", { ...AT, frontend: "10.43.0.8 . tcp . 80" }, [backend(9)]).group,
    1,
  );
  const { group, slots } = numbers.assign(4, "old", AT, [backend(1), backend(2)]);
  assert.equal(group, 1);
  assert.equal(slotOf(slots[1] ?? 0), 1, "the one that stood");
  assert.notEqual(slotOf(slots[0] ?? 0), 1, "the new one");
});

test("a group of this node's endpoints keeps its numbers wherever its frontend is found", () => {
  const standing: Elements = new Map([
    // Internal policy Local: the ClusterIP leads there by itself.
    [setId(4, "sticky-ids"), new Map([[FRONTEND, markText(groupMark(4))]])],
    [setId(4, "sticky-local-ids"), new Map([[FRONTEND, markText(groupMark(5))]])],
  ]);
  const group = (isLocal: boolean) => {
    const numbers = new StickyNumbers();
    numbers.adopt(4, standing);
    return numbers.assign(4, "web/local", { frontend: FRONTEND, isLocal }, [backend(1)]).group;
  };
  assert.deepEqual([group(false), group(true)], [4, 5]);
});

test("no more endpoints than slots", () => {
  const numbers = new StickyNumbers();
  const affinity = { group: "g", timeoutSeconds: 1 };
  assert.equal(numbers.has(4, affinity, STICKY_MARK.slots), true);
  assert.equal(numbers.has(4, affinity, STICKY_MARK.slots + 1), false);
  assert.equal(numbers.has(4, undefined, 1), false);
});
