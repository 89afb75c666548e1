import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { NOTHING, type Path, type PodRoute } from "../model.ts";
import { probeWork } from "./targets.ts";

const MTU: Readonly<Record<string, number>> = { eth0: 1500, "flannel.1": 1450, "flannel-wg-v6": 1420 };
const publicIp = parseIp("192.0.2.12");
const publicIp6 = parseIp("2001:db8::12");
const mac = parseMac("02:00:00:00:00:02");
const FOUR = { node: "two", family: 4, podCidr: parseCidr("10.42.1.0/24") } as const;
const SIX = { node: "two", family: 6, podCidr: parseCidr("fd42:0:0:1::/64") } as const;
const VXLAN: Path = { ...FOUR, kind: "vxlan", end: { vni: 1, mac, publicIp } };
const HOST_GW: Path = { ...FOUR, kind: "host-gw", end: { publicIp } };
const WIREGUARD: Path = {
  ...SIX,
  kind: "wireguard",
  end: { publicKey: "key", publicIp: publicIp6, port: 51_821 },
};

function work(path: Path, route: PodRoute | undefined) {
  const choice = { paths: [path], ways: [path], unreachable: [] };
  const state = { ...NOTHING, routes: new Map(route ? [[path.podCidr, route]] : []) };
  const findLink = (name: string) => {
    const mtuBytes = MTU[name];
    return mtuBytes === undefined
      ? undefined
      : {
          ...{ index: 2, name, kind: "", mac, mtuBytes, isUp: true, isPromiscuous: false },
          ...{ isAllMulticast: false, sendQueueLength: 1000 },
          ...{ master: undefined, parent: undefined, vxlan: undefined },
        };
  };
  return probeWork({ choice, state }, { findLink });
}

for (const [name, path, device, to, underlay] of [
  ["through a tunnel its far end is asked", VXLAN, "flannel.1", ["10.42.1.0"], publicIp],
  ["without one, the pods' gateway, else the node", HOST_GW, "eth0", ["10.42.1.1", publicIp], publicIp],
  ["WireGuard is a tunnel like others", WIREGUARD, "flannel-wg-v6", ["fd42:0:0:1::"], publicIp6],
] as const)
  test(name, () => {
    const { node, family, kind } = path;
    const mtuBytes = MTU[device];
    assert.deepEqual(work(path, { device, onlink: false }).targets, [
      { node, family, kind, device, to, underlay, mtuBytes },
    ]);
  });

test("what has no route, or a route through a device that is gone, is not asked", () => {
  assert.deepEqual(work(VXLAN, undefined).targets, []);
  assert.deepEqual(work(VXLAN, { device: "gone", onlink: true }).targets, []);
});

test("tunnels' devices are told of whoever uses them", () => {
  assert.deepEqual(work(VXLAN, undefined).devices, ["flannel.1", "flannel-v6.1"]);
});
