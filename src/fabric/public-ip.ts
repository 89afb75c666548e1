import type { Family } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { FLANNEL_KEYS, readPublicIpChoice } from "#wire/flannel-annotations";
import type { FabricConfig, FabricSnapshot } from "./model.ts";

/** The address peers are told: one that somebody chose, or the underlay's. */
export function publicIp(
  family: Family,
  local: Ip,
  { said = {} }: Pick<FabricSnapshot, "said">,
  { publicIps }: Pick<FabricConfig, "publicIps">,
): Ip {
  // Where the flag decides, an overwrite beside it is one of a time when the flag said another.
  const stale = publicIps === undefined ? {} : { [FLANNEL_KEYS[family].publicIpOverwrite]: undefined };
  return (
    publicIps?.find((ip) => familyOf(ip) === family) ??
    readPublicIpChoice({ ...said, ...stale }, family) ??
    local
  );
}
