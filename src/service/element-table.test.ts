import assert from "node:assert/strict";
import { test } from "node:test";
import { ElementTable } from "./element-table.ts";
import { type Element, setId } from "./model.ts";

const KERNEL = setId(4, "endpoints");

function element(key: string, data: string): Element {
  return { family: 4, set: "endpoints", key, data };
}

function taken(table: ElementTable, atMost?: number): string[] {
  return table.takeChanges(atMost).map(({ op, key, data }) => `${op} ${key} ${data}`);
}

function settle(table: ElementTable): void {
  for (const _ of table.settle());
}

test("what stands and is asked for is no change, what is asked for otherwise is replaced, what nobody asks for goes last", () => {
  const table = new ElementTable();
  table.adopt(new Map([[KERNEL, new Map(Object.entries({ a: "1", b: "2", c: "3" }))]]));
  for (const [key, data] of Object.entries({ a: "1", b: "9", d: "4" })) {
    table.beginGroup();
    table.add(element(key, data));
  }
  settle(table);
  assert.deepEqual(taken(table, 1), ["delete b 2", "add b 9"]);
  assert.deepEqual(taken(table, 1), ["add d 4"]);
  assert.equal(table.hasChanges, true);
  assert.deepEqual(taken(table), ["delete c 3"]);
  assert.equal(table.hasChanges, false);
});

test("what changes together is taken together, however little was asked for", () => {
  const table = new ElementTable();
  for (const group of ["a", "b"]) {
    table.beginGroup();
    for (const n of [1, 2, 3]) table.add(element(`${group}${n}`, ""));
  }
  assert.deepEqual(taken(table, 2), ["add a1 ", "add a2 ", "add a3 "]);
  table.beginGroup();
  table.add(element("c1", ""));
  assert.deepEqual(taken(table, 4), ["add b1 ", "add b2 ", "add b3 ", "add c1 "]);
  assert.deepEqual(taken(table), []);
});

test("whoever changes his mind before it is taken has changed nothing", () => {
  const table = new ElementTable();
  table.adopt(new Map([[KERNEL, new Map([["a", "1"]])]]));
  table.add(element("a", "2"));
  table.remove(element("a", "2"));
  table.add(element("a", "1"));
  settle(table);
  assert.deepEqual(taken(table), []);
});

test("after somebody else's change the kernel is brought back to what is asked for", () => {
  const table = new ElementTable();
  for (const [key, data] of Object.entries({ a: "1", b: "2" })) table.add(element(key, data));
  taken(table);
  table.add(element("c", "3"));
  table.adopt(new Map([[KERNEL, new Map(Object.entries({ a: "7", x: "8" }))]]));
  settle(table);
  assert.deepEqual(taken(table), ["delete a 7", "delete x 8", "add a 1", "add b 2", "add c 3"]);
});
