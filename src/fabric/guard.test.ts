import assert from "node:assert/strict";
import { test } from "node:test";
import { familyOf, ipToBytes, parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import type { NftElement } from "#kernel/kernel";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import {
  guardRules,
  guardSet,
  memberChanges,
  observeMembers,
  STRANGERS_KEPT,
  STRANGERS_TOTAL,
} from "./guard.ts";
import { readGuardCounters } from "./guard-counters.ts";
import { GuardWatch } from "./guard-watch.ts";
import { findProgram, nameProgram, renderProgram } from "./program.ts";

const MEMBERS = ["192.0.2.10", "192.0.2.11", "2001:db8::10"].map(parseIp);
const INPUT = { ports: [8472, 51820, 51821], guard: true, masquerade: {} };
const element = (ip: string): NftElement => ({ key: ipToBytes(parseIp(ip)) });

function loaded() {
  const { nft } = openFakeKernel();
  nft.run(renderProgram(nameProgram(INPUT), MEMBERS));
  const strange = (ip: string, packets: number) => {
    const family = familyOf(ip);
    nft.count(guardSet("strangers", family), element(ip), { packets, bytes: packets * 100 });
    const total = { key: Uint8Array.of(family === 4 ? 2 : 10) };
    nft.count(STRANGERS_TOTAL, total, { packets, bytes: packets * 100 });
  };
  return { nft, strange };
}

test("the rules cover every port in use, and differ in their last word only where the guard is off", () => {
  const on = guardRules(INPUT);
  assert.equal(on.filter((rule) => rule.includes("udp dport { 8472, 51820, 51821 } goto")).length, 2);
  const off = guardRules({ ...INPUT, guard: false });
  assert.deepEqual(
    off.filter((rule, i) => rule !== on[i]),
    ["add rule inet twill-fabric strange meta nfproto @strangers accept"],
  );
  assert.deepEqual(guardRules({ ports: [], guard: true }), []);
});

test("other ports, or a guard that is turned off, are another program", () => {
  const names = [INPUT, { ...INPUT, guard: false }, { ...INPUT, ports: [8472] }]
    .map(nameProgram)
    .map(({ name }) => name);
  assert.equal(new Set(names).size, 3);
});

test("what is loaded is found again, with as many rules as it has", () => {
  const { nft } = loaded();
  const { name, rules } = nameProgram(INPUT);
  assert.deepEqual(findProgram(nft.list("list table inet twill-fabric")), { name, rules });
});

test("members come and go, and the others keep what they have counted", () => {
  const { nft } = loaded();
  nft.count(guardSet("members", 4), element("192.0.2.11"), { packets: 3, bytes: 300 });
  nft.changeElements(memberChanges("add", 4, [parseIp("192.0.2.12")]));
  nft.changeElements(memberChanges("delete", 4, [parseIp("192.0.2.10")]));
  assert.deepEqual(observeMembers(nft), new Set(["192.0.2.11", "2001:db8::10", "192.0.2.12"]));
  const counters = readGuardCounters(nft);
  assert.deepEqual(counters?.received.get(parseIp("192.0.2.11")), { packets: 3, bytes: 300 });
  assert.deepEqual(counters?.received.get(parseIp("192.0.2.12")), { packets: 0, bytes: 0 });
});

test("sets that are not there have no members and have counted nothing", () => {
  const { nft } = loaded();
  nft.run("delete table inet twill-fabric");
  assert.equal(observeMembers(nft), undefined);
  assert.equal(readGuardCounters(nft), undefined);
});

test("strangers are listed, the loudest first, and counted all together", () => {
  const { nft, strange } = loaded();
  strange("203.0.113.9", 7);
  strange("2001:db8:bad::9", 9);
  strange("203.0.113.8", 1);
  const strangers = readGuardCounters(nft)?.strangers;
  assert.deepEqual(strangers?.total, { packets: 17, bytes: 1700 });
  assert.deepEqual(
    strangers?.listed.map(({ ip, packets }) => `${ip} ${packets}`),
    ["2001:db8:bad::9 9", "203.0.113.9 7", "203.0.113.8 1"],
  );
  assert.equal(strangers?.isFull, false);
  for (let i = 0; i < STRANGERS_KEPT; i++) strange(`198.51.${100 + (i >> 8)}.${i & 255}`, 1);
  assert.equal(readGuardCounters(nft)?.strangers.isFull, true);
});

test("each stranger is told of once, a crowd of them in few words", () => {
  const { nft, strange } = loaded();
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info", now: () => 0 });
  const nodeOf = (ip: string) => (ip === "192.0.2.11" ? "b" : undefined);
  const watch = new GuardWatch({ nft, isGuarded: true, nodeOf, clock: systemClock, log });
  strange("203.0.113.9", 7);
  strange("192.0.2.11", 1);
  watch.look();
  strange("203.0.113.9", 7);
  watch.look();
  assert.deepEqual(
    lines.map((line) => line.replace(/^\S+ /, "").trim()),
    [
      "WARN  packets to the tunnels' ports from an address of no node were dropped ip=203.0.113.9 packets=7",
      "WARN  packets to the tunnels' ports from a node before it was known, a pod, or by way of a service were dropped ip=192.0.2.11 node=b packets=1",
    ],
  );
  for (let i = 0; i < 40; i++) strange(`198.51.100.${i}`, 1);
  watch.look();
  assert.equal(lines.length, 2 + 6);
  assert.match(lines.at(-1) ?? "", /addresses=35/);
});
