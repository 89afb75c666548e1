import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr, parseIpPrefix } from "#addr/cidr";
import { formatSubnetFile, parseSubnetFile, type SubnetFile, SubnetFileFault } from "./subnet-file.ts";

const v4: SubnetFile = {
  networks: { 4: parseCidr("10.42.0.0/16") },
  gateways: { 4: parseIpPrefix("10.42.3.1/24") },
  mtuBytes: 1450,
  masquerade: true,
};
const V4 =
  "FLANNEL_NETWORK=10.42.0.0/16\nFLANNEL_SUBNET=10.42.3.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n";
const dual: SubnetFile = {
  networks: { ...v4.networks, 6: parseCidr("2001:db8:42::/56") },
  gateways: { ...v4.gateways, 6: parseIpPrefix("2001:db8:42:3::1/64") },
  mtuBytes: 1430,
  masquerade: true,
};
const DUAL = `FLANNEL_NETWORK=10.42.0.0/16
FLANNEL_SUBNET=10.42.3.1/24
FLANNEL_IPV6_NETWORK=2001:db8:42::/56
FLANNEL_IPV6_SUBNET=2001:db8:42:3::1/64
FLANNEL_MTU=1430
FLANNEL_IPMASQ=true
`;

for (const [name, file, text] of [
  ["one family", v4, V4],
  ["both families", dual, DUAL],
] as const)
  test(`${name}: written as flannel writes it, and read back`, () => {
    assert.equal(formatSubnetFile(file), text);
    assert.deepEqual(parseSubnetFile(text), file);
  });

test("lists of networks, quotes and unknown keys are legal", () => {
  const text = `# made by hand\nFLANNEL_NETWORK="10.42.0.0/16,10.43.0.0/16"\nFLANNEL_SUBNET='10.42.3.1/24'\nMORE=1\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true`;
  assert.deepEqual(parseSubnetFile(text), v4);
});

const bad: readonly [name: string, text: string, words: RegExp][] = [
  ["no subnet", "FLANNEL_MTU=1450\n", /FLANNEL_SUBNET.*no lease/],
  ["no MTU", "FLANNEL_SUBNET=10.42.3.1/24\n", /FLANNEL_MTU/],
  ["a wild MTU", "FLANNEL_SUBNET=10.42.3.1/24\nFLANNEL_MTU=1e9\n", /FLANNEL_MTU=1e9/],
  ["the wrong family", "FLANNEL_SUBNET=fd00::1/64\nFLANNEL_MTU=1450\n", /FLANNEL_SUBNET=fd00::1/],
  ["no address", "FLANNEL_SUBNET=ten\nFLANNEL_MTU=1450\n", /FLANNEL_SUBNET=ten/],
];
for (const [name, text, words] of bad)
  test(`a file with ${name} is refused by its key`, () => {
    assert.throws(
      () => parseSubnetFile(text),
      (error) => error instanceof SubnetFileFault && words.test(error.message),
    );
  });

test("only its own fault escapes, whatever the file holds", () => {
  let seed = 3;
  const random = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % n;
  };
  for (let i = 0; i < 2_000; i++) {
    const at = random(DUAL.length);
    const text = DUAL.slice(0, at) + String.fromCharCode(random(256)) + DUAL.slice(at + random(20));
    try {
      parseSubnetFile(text);
    } catch (error) {
      assert.ok(error instanceof SubnetFileFault, text);
    }
  }
});
