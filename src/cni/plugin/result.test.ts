import assert from "node:assert/strict";
import { test } from "node:test";
import { type CniResult, formatResult, readResult } from "./result.ts";
import { SPEC_VERSIONS } from "./spec-version.ts";

const RESULT: CniResult = {
  interfaces: [
    { name: "cni0", mac: "0a:58:0a:2a:03:01", mtu: 1450 },
    { name: "eth0", mac: "0a:58:0a:2a:03:02", mtu: 1450, sandbox: "/run/netns/x" },
  ],
  ips: [
    { address: "10.42.3.2/24", gateway: "10.42.3.1", interface: 1 },
    { address: "fd42::2/64", gateway: "fd42::1", interface: 1 },
  ],
  routes: [
    { dst: "0.0.0.0/0", gw: "10.42.3.1" },
    { dst: "::/0", gw: "fd42::1" },
  ],
  dns: { nameservers: ["10.43.0.10"] },
};
const bare = [
  { name: "cni0", mac: "0a:58:0a:2a:03:01" },
  { name: "eth0", mac: "0a:58:0a:2a:03:02", sandbox: "/run/netns/x" },
];
const { ips, routes, dns, interfaces } = RESULT;
const versioned = ips.map((ip, i) => ({ version: i === 0 ? "4" : "6", ...ip }));
const first = {
  ip4: { ip: "10.42.3.2/24", gateway: "10.42.3.1", routes: [routes[0]] },
  ip6: { ip: "fd42::2/64", gateway: "fd42::1", routes: [routes[1]] },
  dns,
};
const wanted: Readonly<Record<string, object>> = {
  "0.1.0": first,
  "0.2.0": first,
  "0.3.0": { interfaces: bare, ips: versioned, routes, dns },
  "0.3.1": { interfaces: bare, ips: versioned, routes, dns },
  "0.4.0": { interfaces: bare, ips: versioned, routes, dns },
  "1.0.0": { interfaces: bare, ips, routes, dns },
  "1.1.0": { interfaces, ips, routes, dns },
};
for (const version of SPEC_VERSIONS)
  test(`a result is written as ${version} has it, and what CHECK needs is read again`, () => {
    const text = formatResult(RESULT, version);
    assert.ok(text.endsWith("\n"));
    const json = JSON.parse(text) as Record<string, unknown>;
    const expected: object = { cniVersion: version, ...wanted[version] };
    assert.deepEqual({ ...json }, expected);
    const read = readResult(json);
    assert.deepEqual(
      read.ips.map(({ address }) => address),
      ["10.42.3.2/24", "fd42::2/64"],
    );
    if (json["interfaces"]) assert.equal(read.interfaces[1]?.mac, "0a:58:0a:2a:03:02");
  });

test("of one family alone nothing of the other is said", () => {
  const [only] = ips;
  assert.ok(only);
  const json: object = JSON.parse(formatResult({ ...RESULT, ips: [only] }, "0.2.0"));
  assert.deepEqual(Object.keys(json), ["cniVersion", "ip4", "dns"]);
});

test("rubbish in an earlier result is skipped", () => {
  for (const json of [
    {},
    { interfaces: 1, ips: "x", ip4: [] },
    { interfaces: [null, 1, {}], ips: [{ interface: 7 }, null, { address: 1 }] },
  ])
    assert.ok(readResult(json));
});
