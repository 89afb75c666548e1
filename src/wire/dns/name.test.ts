import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "../wire-error.ts";
import { encodeName, isWithin, nameKey, readName, relativeTo, splitName, zoneOf } from "./name.ts";

const texts = [
  ".",
  "a.",
  "web.default.svc.cluster.local.",
  "a\\.b.c.",
  "sp\\032ace.x.",
  "_http._tcp.x.",
  "\\\\.x.",
  "*.x.",
];
for (const text of texts) {
  test(`name ${text} survives the wire`, () => {
    const bytes = encodeName(text);
    assert.deepEqual(readName(bytes, 0), { name: text, next: bytes.length });
  });
}

const broken: readonly [string, number[], number][] = [
  ["runs past the end", [3, 97, 98], 0],
  ["has no end", [1, 97], 0],
  ["points at itself", [0xc0, 0], 0],
  ["points forward", [0xc0, 2, 1, 97, 0], 0],
  ["points in a circle", [1, 97, 0xc0, 4, 0xc0, 0], 4],
  ["has label type 01", [0x41, 0, 0], 0],
  ["has label type 10", [0x81, 0, 0], 0],
  ["has half a pointer", [0xc0], 0],
];
for (const [why, bytes, at] of broken) {
  test(`a name that ${why} is refused`, () => {
    assert.throws(() => readName(Uint8Array.from(bytes), at), WireError);
  });
}

test("a name of 255 bytes passes, one of 256 does not", () => {
  const label = "a".repeat(63);
  const longest = `${label}.${label}.${label}.${"b".repeat(61)}.`;
  assert.equal(readName(encodeName(longest), 0).name, longest);
  assert.throws(() => encodeName(`${label}.${label}.${label}.${"b".repeat(62)}.`), WireError);
  assert.throws(() => encodeName(`${"a".repeat(64)}.`), WireError);
});

test("names compare by zone", () => {
  assert.ok(isWithin("a.example.", "example."));
  assert.ok(isWithin("example.", "example."));
  assert.ok(!isWithin("badexample.", "example."));
  assert.ok(isWithin("x.", "."));
  assert.equal(relativeTo("a.b.example.", "example."), "a.b");
  assert.equal(relativeTo("example.", "example."), "");
  assert.equal(zoneOf("a.b.c.", [".", "c.", "b.c."]), "b.c.");
  assert.equal(zoneOf("a.", ["b."]), undefined);
  assert.equal(nameKey("WEB.x"), "web.x.");
  assert.deepEqual(splitName("a\\.b.c."), ["a\\.b", "c"]);
});
