import type { IpPrefix } from "#addr/cidr";
import { addressOf, type Cidr, cidrFamily, cidrSize, ipPrefixOf, nthIp, prefixLength } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { formatIp, type Ip, ipToBits } from "#addr/ip";
import { CniFault } from "./cni-fault.ts";

/** The addresses of one subnet that pods may get: all but the network's own, the gateway (the first) and, in IPv4, the
 *  broadcast address. @see host-local's defaults */
export class AddressRange {
  readonly subnet: Cidr;
  readonly gateway: Ip;
  readonly #first: bigint;
  readonly #last: bigint;

  /** @throws {CniFault} "BadRequest" for a subnet that is too small to share out */
  constructor(subnet: Cidr) {
    const family = cidrFamily(subnet);
    if (prefixLength(subnet) > FAMILY[family].bits - 2)
      throw new CniFault("BadRequest", `Cannot share out ${subnet}: it has no room for a gateway and pods`);
    this.subnet = subnet;
    this.gateway = nthIp(subnet, 1);
    const base = ipToBits(addressOf(subnet));
    this.#first = base + 2n;
    this.#last = base + cidrSize(subnet) - (family === 4 ? 2n : 1n);
  }

  get size(): bigint {
    return this.#last - this.#first + 1n;
  }

  contains(ip: Ip): boolean {
    const bits = ipToBits(ip);
    return bits >= this.#first && bits <= this.#last;
  }

  /** The address after `cursor`, around the end; the first where `cursor` is none of ours. */
  after(cursor: Ip | undefined): Ip {
    const bits = cursor !== undefined && this.contains(cursor) ? ipToBits(cursor) + 1n : this.#first;
    return formatIp(cidrFamily(this.subnet), bits > this.#last ? this.#first : bits);
  }

  withPrefix(ip: Ip): IpPrefix {
    return ipPrefixOf(ip, prefixLength(this.subnet));
  }
}
