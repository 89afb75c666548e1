import { addressOf, type Cidr, cidrFamily, nthSubnet, parseCidr, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { type Name, nameKey } from "#wire/dns/name";
import { reverseName } from "#wire/dns/reverse";
import { CorefileFault, type Place } from "./fault.ts";

export interface ServerAddress {
  readonly zone: Name;
  readonly port: number;
}

const SCHEME_PORTS: Readonly<Record<string, number>> = { dns: 53 };

/** Reads a key of a server block, `[dns://]zone[:port]`; a network gives the reverse zones that cover it.
 *  @throws {CorefileFault} */
export function parseAddress(text: string, place: Place, defaultPort: number): ServerAddress[] {
  const match = /^(?:(?<scheme>[a-z0-9]+):\/\/)?(?<zone>.*?)(?::(?<port>\d{1,5}))?$/.exec(text);
  const { scheme = "dns", zone = "", port } = match?.groups ?? {};
  if (!Object.hasOwn(SCHEME_PORTS, scheme))
    throw new CorefileFault(place, `${scheme}:// is not served; only dns:// is`);
  const number = port === undefined ? defaultPort : Number(port);
  if (number > 65_535) throw new CorefileFault(place, `${text}: ${port} is not a port`);
  return parseZones(zone, place).map((each) => ({ zone: each, port: number }));
}

/** The zones that one word names: itself, or the reverse zones of a network. @throws {CorefileFault} */
export function parseZones(text: string, place: Place): Name[] {
  if (text.includes("/")) return reverseZones(text, place);
  const zone = nameKey(text === "" ? "." : text);
  const labels = zone === "." ? [] : zone.slice(0, -1).split(".");
  if (zone.length > 255 || labels.some((label) => label === "" || label.length > 63 || /[\s:]/.test(label)))
    throw new CorefileFault(place, `${JSON.stringify(text)} is not a zone`);
  return [zone];
}

/** Reverse zones end at whole labels: a network between two of them becomes the zones of all its parts. */
function reverseZones(text: string, place: Place): Name[] {
  let cidr: Cidr;
  try {
    cidr = parseCidr(text, { hostBits: "clear" });
  } catch (error) {
    throw new CorefileFault(place, error instanceof Error ? error.message : String(error));
  }
  const family = cidrFamily(cidr);
  const step = family === 4 ? 8 : 4;
  const whole = Math.min(FAMILY[family].bits, Math.max(step, Math.ceil(prefixLength(cidr) / step) * step));
  const count = 2 ** (whole - prefixLength(cidr));
  return Array.from({ length: count }, (_, i) => {
    const labels = reverseName(addressOf(nthSubnet(cidr, whole, i))).split(".");
    return labels.slice((FAMILY[family].bits - whole) / step).join(".");
  });
}
