import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import type { ObjectMeta } from "#kube/generated/types";
import { NODE_ANNOTATIONS, PROVIDED_IP } from "../names.ts";
import { announcedHostname, announcement, type Machine, silence } from "./announcement.ts";
import { planNode } from "./plan.ts";

const { internalIp, externalIp, internalDns, externalDns, hostname } = NODE_ANNOTATIONS;
const V4 = parseIp("192.0.2.1");
const V6 = parseIp("2001:db8::1");
const bare: Machine = { nodeIps: [V4], externalIps: [], internalDns: [], externalDns: [], hostname: "host" };
const full: Machine = {
  nodeIps: [V4, V6],
  externalIps: [parseIp("198.51.100.1")],
  internalDns: ["a.lan", "b.lan"],
  externalDns: ["a.example"],
  hostname: "host",
};
const none: ObjectMeta = { name: "n" };

test("an agent says all that it was told of its machine, and takes away what it was not", () => {
  assert.deepEqual(announcement(full, none).annotations, {
    [internalIp]: "192.0.2.1,2001:db8::1",
    [externalIp]: "198.51.100.1",
    [internalDns]: "a.lan,b.lan",
    [externalDns]: "a.example",
    [hostname]: "host",
    [PROVIDED_IP]: "192.0.2.1,2001:db8::1",
  });
  const { annotations } = announcement(bare, none);
  for (const key of [externalIp, internalDns, externalDns]) {
    assert.ok(key in annotations, key);
    assert.equal(annotations[key], undefined);
  }
});

test("what an agent says, the cloud controller understands without a problem", () => {
  for (const machine of [bare, full]) {
    const annotations = Object.fromEntries(
      Object.entries(announcement(machine, none).annotations).flatMap(([key, value]) =>
        value ? [[key, value]] : [],
      ),
    );
    const plan = planNode({ metadata: { name: "n", annotations } });
    assert.deepEqual(plan.problems, []);
    const named = machine.nodeIps.length + machine.externalIps.length + machine.internalDns.length;
    assert.equal(plan.addresses?.length, named + machine.externalDns.length + 1);
  }
});

test("labels of long ago follow where they stand, one value each, and only there", () => {
  assert.deepEqual(announcement(full, none).labels, {});
  const wanted = { [internalIp]: V4, [externalIp]: "198.51.100.1", [hostname]: "host" };
  for (const key of [internalIp, hostname])
    assert.deepEqual(announcement(full, { name: "n", labels: { [key]: "x" } }).labels, wanted);
  assert.equal(
    announcement(bare, { name: "n", labels: { [internalIp]: "x" } }).labels[externalIp],
    undefined,
  );
});

for (const [isExternal, nodeIps, provided] of [
  [true, [V4], V4],
  [true, [V6], V6],
  [true, [V4, V6], undefined],
  [false, [V4], undefined],
] as const)
  test(`without a controller of ours ${nodeIps.join(" and ")} is ${provided ?? "nothing"} to ${isExternal ? "another" : "nobody"}`, () => {
    const { annotations, labels } = silence({ nodeIps }, { isExternal });
    assert.equal(annotations[PROVIDED_IP], provided);
    for (const key of [internalIp, externalIp, internalDns, externalDns, hostname]) {
      assert.ok(key in annotations, key);
      assert.equal(annotations[key], undefined);
    }
    assert.deepEqual(Object.keys(labels).sort(), [externalIp, hostname, internalIp]);
  });

test("a machine whose name says nothing goes by its Node's", () => {
  for (const [own, says] of [
    ["", "n"],
    ["localhost", "n"],
    ["localhost.localdomain", "n"],
    ["host", "host"],
  ] as const)
    assert.equal(announcedHostname(own, "n"), says);
});
