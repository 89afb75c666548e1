import { containsIp, parseCidr } from "#addr/cidr";
import type { PerFamily } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { WireguardEnd } from "#wire/flannel-annotations";
import type { Ground, WireguardBackend } from "../model.ts";

/** Networks that are not reached from elsewhere. @see RFC 1918, RFC 4193 */
const PRIVATE = {
  4: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map((text) => parseCidr(text)),
  6: [parseCidr("fc00::/7")],
} as const;

/** Which of a peer's ends one device for both families sends to: as flannel chooses, so that both sides meet. */
export function chooseEnd(
  mode: Exclude<WireguardBackend["mode"], "separate">,
  ends: PerFamily<WireguardEnd>,
  { underlays }: Pick<Ground, "underlays">,
): WireguardEnd | undefined {
  const { 4: v4, 6: v6 } = ends;
  if (v4 === undefined || v6 === undefined) return v4 ?? v6;
  switch (mode) {
    case "ipv4":
      return v4;
    case "ipv6":
      return v6;
    case "auto": {
      const [own4, own6] = [underlays[4]?.local, underlays[6]?.local];
      if (own4 !== undefined && !isPrivate(v4.publicIp)) return v4;
      return own6 !== undefined && !isPrivate(own6) && !isPrivate(v6.publicIp) ? v6 : v4;
    }
    default:
      return mode satisfies never;
  }
}

function isPrivate(ip: Ip): boolean {
  return PRIVATE[familyOf(ip)].some((network) => containsIp(network, ip));
}
