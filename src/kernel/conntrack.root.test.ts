import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { openFds } from "./fd.ts";
import type { NetKernel } from "./kernel.ts";
import { openKernel } from "./open.ts";

const NAME = `twt-${process.pid}-ct`;
const PATH = `/run/netns/${NAME}`;
const kernel = openKernel();
let net: NetKernel;

before(() => {
  using ns = kernel.createNetns(PATH);
  net = kernel.openIn(ns);
  net.nft.run(`table inet t {
    chain output { type filter hook output priority 0; ct state new accept; }
  }`);
});

after(() => {
  net[Symbol.dispose]();
  kernel[Symbol.dispose]();
  kernel.deleteNetns(PATH);
  assert.deepEqual(openFds(), []);
});

for (const { family, ip, port } of [
  { family: 4, ip: "127.0.0.1", port: 4000 },
  { family: 6, ip: "::1", port: 4001 },
] as const)
  test(`a UDP connection of IPv${family} is found and forgotten`, () => {
    execFileSync("ip", ["netns", "exec", NAME, "bash", "-c", `echo hi >/dev/udp/${ip}/${port}`]);
    const list = () =>
      net.conntrack
        .listFlows({ family, protocol: 17 })
        .filter(({ original }) => original.destinationPort === port);
    const [flow] = list();
    const filter = { family, protocol: 17, toPort: port };
    assert.deepEqual(net.conntrack.listFlows(filter), list(), "the kernel looks for a port");
    assert.deepEqual(net.conntrack.listFlows({ ...filter, toPort: port + 9 }), []);
    assert.deepEqual(net.conntrack.listFlows({ ...filter, protocol: 6 }), []);
    assert.equal(flow?.original.destination, ip);
    assert.equal(flow?.reply.source, ip);
    assert.ok(flow);
    net.conntrack.deleteFlow(flow);
    assert.deepEqual(list(), []);
    net.conntrack.deleteFlow(flow);
    assert.deepEqual(net.conntrack.listFlows({ family, protocol: 6 }), []);
  });
