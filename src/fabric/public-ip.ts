import type { Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { FLANNEL_KEYS, readPublicIpChoice } from "#wire/flannel-annotations";
import type { FabricConfig, FabricSnapshot } from "./model.ts";

/** The address peers are told: one that somebody chose, or the underlay's. */
export function publicIp(
  family: Family,
  local: Ip,
  { said = {} }: Pick<FabricSnapshot, "said">,
  { publicIps, flagPublicIps = [] }: Pick<FabricConfig, "publicIps" | "flagPublicIps">,
): Ip {
  const { publicIpOverwrite, nodePublicIp } = FLANNEL_KEYS[family];
  const chosen = (key: string) => readPublicIpChoice({ [key]: said[key] }, family);
  // Where K3s's flag decides, an overwrite beside it is one of a time when the flag said another.
  const first = publicIps === undefined ? chosen(publicIpOverwrite) : ofFamily(publicIps, family);
  return first ?? ofFamily(flagPublicIps, family) ?? chosen(nodePublicIp) ?? local;
}

function ofFamily(ips: readonly Ip[], family: Family): Ip | undefined {
  return ips.find((ip) => familyOf(ip) === family);
}
