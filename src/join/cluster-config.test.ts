import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { parseIp } from "#addr/ip";
import { type ClusterConfig, decodeClusterConfig, encodeClusterConfig } from "./cluster-config.ts";

const config: ClusterConfig = {
  clusterCidrs: [parseCidr("10.42.0.0/16"), parseCidr("2001:db8:42::/56")],
  serviceCidrs: [parseCidr("10.43.0.0/16"), parseCidr("2001:db8:43::/112")],
  clusterDns: [parseIp("10.43.0.10"), parseIp("2001:db8:43::a")],
  clusterDomain: "cluster.local",
  nodePortRange: { from: 30000, to: 32767 },
  flannelBackend: "vxlan",
  flannelIpv6Masq: true,
  flannelExternalIp: false,
  disableNetworkPolicy: false,
  disableKubeProxy: false,
  disableCloudController: false,
  disableServiceLb: false,
  httpsPort: 6443,
};

test("what a server says is what an agent reads", () => {
  assert.deepEqual(decodeClusterConfig(encodeClusterConfig(config)), config);
});

test("networks are spelled as Go spells them", () => {
  const raw = JSON.parse(encodeClusterConfig(config));
  assert.deepEqual(raw.ClusterIPRange, { IP: "10.42.0.0", Mask: "//8AAA==" });
  assert.deepEqual(raw.ServiceNodePortRange, { Base: 30000, Size: 2768 });
});

for (const [what, text, says] of [
  ["text that is not JSON", "<html>", /body/],
  ["a list", "[]", /expected an object/],
  ["no networks", "{}", /ClusterIPRanges: expected a list/],
  ["a mask with a hole", JSON.stringify({ ClusterIPRanges: [{ IP: "10.0.0.0", Mask: "/wD/AA==" }] }), /hole/],
  [
    "a mask of the other family",
    JSON.stringify({ ClusterIPRanges: [{ IP: "10.0.0.0", Mask: "//8=" }] }),
    /mask does not fit/,
  ],
  [
    "an unknown backend",
    JSON.stringify({ ClusterIPRanges: [], ServiceIPRanges: [], ClusterDNSs: [], FlannelBackend: "udp" }),
    /FlannelBackend: "udp"/,
  ],
] as const) {
  test(`${what} is refused by the field's name`, () => assert.throws(() => decodeClusterConfig(text), says));
}
