/** For tests: a node at 192.0.2.10 in a cluster of IPv4 alone. */
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { parseMac } from "#addr/mac";
import { type FabricConfig, type Ground, HOST_GW, PLAIN_GROUND } from "../model.ts";

export const LOCAL = parseIp("192.0.2.10");

export const GROUND: Ground = {
  ...PLAIN_GROUND,
  underlays: {
    4: {
      index: 2,
      name: "eth0",
      mtuBytes: 1500,
      local: LOCAL,
      connected: [parseCidr("192.0.2.0/24")],
      routed: [parseCidr("192.0.2.128/25")],
    },
  },
  macs: { 4: parseMac("02:00:00:00:00:04") },
  canFilterBridged: false,
};

export const CONFIG: FabricConfig = {
  clusterCidrs: [parseCidr("10.42.0.0/16")],
  nodeIps: [LOCAL],
  backend: HOST_GW,
  guard: true,
  masquerade: {},
  subnetFile: "/run/flannel/subnet.env",
};
