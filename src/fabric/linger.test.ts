import assert from "node:assert/strict";
import { test } from "node:test";
import { LINGER_MS, Linger } from "./linger.ts";
import type { FabricKind } from "./model.ts";

function at() {
  let now = 1_000;
  const clock = { now: () => now, sleep: () => Promise.resolve() };
  const linger = new Linger(clock);
  const look = (afterMs: number, standing: readonly FabricKind[], needed: readonly FabricKind[]) => {
    now += afterMs;
    return [...linger.of(new Set(standing), new Set(needed))].join();
  };
  return look;
}

test("what nobody needs any more stays for a while, and then goes", () => {
  const look = at();
  assert.equal(look(0, ["vxlan"], ["vxlan"]), "");
  assert.equal(look(1_000, ["vxlan"], ["host-gw"]), "vxlan");
  assert.equal(look(LINGER_MS - 1_001, ["vxlan"], ["host-gw"]), "vxlan");
  assert.equal(look(1, ["vxlan"], ["host-gw"]), "");
});

test("what an earlier run left counts from the first look", () => {
  const look = at();
  assert.equal(look(0, ["vxlan"], ["host-gw"]), "vxlan");
  assert.equal(look(LINGER_MS - 1, ["vxlan"], ["host-gw"]), "vxlan");
  assert.equal(look(1, ["vxlan"], ["host-gw"]), "");
});

test("what is needed again in between starts anew", () => {
  const look = at();
  look(0, ["vxlan"], ["host-gw"]);
  look(LINGER_MS - 1, ["vxlan"], ["host-gw", "vxlan"]);
  assert.equal(look(LINGER_MS - 1, ["vxlan"], ["host-gw"]), "vxlan");
  assert.equal(look(1, ["vxlan"], ["host-gw"]), "");
});

test("plain routes linger too, which have no device", () => {
  const look = at();
  look(0, [], ["host-gw"]);
  assert.equal(look(LINGER_MS - 1, [], ["vxlan"]), "host-gw");
  assert.equal(look(1, [], ["vxlan"]), "");
});
