import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import { publicIp } from "./public-ip.ts";

const P = "flannel.alpha.coreos.com";
const [LOCAL, FLAG, OVERWRITE, NODE, EXTERNAL] = [1, 2, 3, 4, 5].map((n) => parseIp(`192.0.2.${n}`));
const said = { [`${P}/public-ip-overwrite`]: OVERWRITE, [`${P}/node-public-ip`]: NODE };
const other = parseIp("2001:db8::1");

const cases = [
  { says: "nobody chose one", said: {}, config: {}, told: LOCAL },
  {
    says: "the Node's overwrite beats flanneld's flag",
    said,
    config: { flagPublicIps: [FLAG] },
    told: OVERWRITE,
  },
  {
    says: "flanneld's flag beats the Node's wish",
    said: { [`${P}/node-public-ip`]: NODE },
    config: { flagPublicIps: [FLAG] },
    told: FLAG,
  },
  {
    says: "a flag for the other family says nothing",
    said: {},
    config: { flagPublicIps: [other] },
    told: LOCAL,
  },
  { says: "the Node's wish", said: { [`${P}/node-public-ip`]: NODE }, config: {}, told: NODE },
  { says: "K3s's external address", said, config: { publicIps: [EXTERNAL] }, told: EXTERNAL },
  {
    says: "K3s's flag is off: an overwrite it once made does not count",
    said: { [`${P}/public-ip-overwrite`]: OVERWRITE },
    config: { publicIps: [] },
    told: LOCAL,
  },
  {
    says: "an overwrite that is no address",
    said: { [`${P}/public-ip-overwrite`]: "$(id)" },
    config: {},
    told: LOCAL,
  },
] as const;
for (const { says, said, config, told } of cases) {
  test(`what peers are told: ${says}`, () => {
    assert.ok(LOCAL);
    const ips = (list: readonly (typeof LOCAL | undefined)[] = []) => list.flatMap((ip) => ip ?? []);
    const settled = {
      ...("publicIps" in config ? { publicIps: ips(config.publicIps) } : {}),
      ...("flagPublicIps" in config ? { flagPublicIps: ips(config.flagPublicIps) } : {}),
    };
    assert.equal(publicIp(4, LOCAL, { said }, settled), told);
  });
}
