import assert from "node:assert/strict";
import { test } from "node:test";
import { EVENTS, NODES } from "#kube/resources";
import { openHarness } from "../harness.ts";

test("nodes share out the cluster's networks, those that bring their own keep them, and who comes too late is told", async () => {
  // 10.42.0.0/16 in pieces of /24: 256 nodes
  await using harness = await openHarness();
  const { client } = harness;
  await harness.addNode("own", { spec: { podCIDR: "10.42.7.0/24", podCIDRs: ["10.42.7.0/24"] } });
  await harness.addNode("foreign", { spec: { podCIDR: "192.0.2.0/24", podCIDRs: ["192.0.2.0/24"] } });
  await Promise.all(
    Array.from({ length: 256 }, (_, i) => client.create(NODES, { metadata: { name: `n${i}` } })),
  );
  await harness.until("255 of 256 have a network", async () => {
    const { items } = await client.list(NODES);
    return items.filter(({ spec }) => spec?.podCIDR).length === 257;
  });
  const cidrs = (await client.list(NODES)).items.flatMap(({ spec }) => spec?.podCIDR ?? []);
  assert.equal(new Set(cidrs).size, 257);
  await harness.until("the last one is told", async () => {
    const { items } = await client.list(EVENTS);
    return items.some(
      ({ reason, message }) =>
        reason === "CIDRNotAvailable" && /Node n\d+ status is now: CIDRNotAvailable/.test(message ?? ""),
    );
  });
});
