import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { openFakeKernel } from "#kernel/fake/kernel";
import { openLog } from "#telemetry/log";
import { RouterAdvice } from "./router-advice.ts";

const DUAL = [parseCidr("10.42.0.0/16"), parseCidr("fd42::/56")];
const CASES = [
  { name: "a route that a router gave", warns: /sysctl -w net\.ipv6\.conf\.eth0\.accept_ra=2/ },
  {
    name: "the same on a link with a dot",
    link: "eth0.7",
    warns: /sysctl -w net\/ipv6\/conf\/eth0\.7\/accept_ra=2/,
  },
  { name: "a route by hand", protocol: 4 },
  { name: "a link that hears routers anyway", acceptRa: 2 },
  { name: "a program that hears routers in the kernel's stead", acceptRa: 0 },
  { name: "forwarding that is on already", forwarding: 1 },
  { name: "a cluster without IPv6", clusterCidrs: DUAL.slice(0, 1) },
];
for (const {
  name,
  link = "eth0",
  protocol = 9,
  acceptRa = 1,
  forwarding = 0,
  clusterCidrs = DUAL,
  warns,
} of CASES)
  test(`${warns ? "warned of, once" : "not warned of"}: ${name}`, () => {
    const kernel = openFakeKernel();
    const { index } = kernel.netlink.addLink({ kind: "bridge", name: link, isUp: true });
    kernel.netlink.replaceRoute({
      to: parseCidr("::/0"),
      via: parseIp("fe80::1"),
      link: index,
      protocol,
      onlink: true,
    });
    kernel.sysctl.write(`net/ipv6/conf/${link}/accept_ra`, acceptRa);
    kernel.sysctl.write("net/ipv6/conf/all/forwarding", forwarding);
    const lines: string[] = [];
    const log = openLog({ write: (line) => lines.push(line), level: "info" });
    const advice = new RouterAdvice(kernel, { clusterCidrs, log });
    for (let n = 0; n < 2; n++) advice.look();
    assert.equal(lines.length, warns ? 1 : 0);
    if (warns) assert.match(lines[0] ?? "", warns);
  });
