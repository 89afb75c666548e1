import { addressOf, type Cidr, cidrFamily, cidrSize, containsIp, nthIp } from "#addr/cidr";
import { FAMILY, type Family } from "#addr/family";
import { type Ip, ipToBits, parseIp } from "#addr/ip";
import { Ledger } from "./ledger.ts";
import { pickFree, type Random, type Range, reservedIps } from "./pool.ts";

export type TakeResult =
  | { readonly kind: "taken"; readonly ip: Ip }
  | { readonly kind: "refused"; readonly why: string };

/** No service network is searched further than this: a /64 holds more than anyone can use. */
const MAX_SIZE = 2 ** 40;

/** The addresses of one service network. Networks may overlap, if they share their ledger. */
export class ClusterIps {
  readonly cidr: Cidr;
  readonly family: Family;
  readonly #ledger: Ledger<Ip>;
  readonly #random: Random;
  /** Counted from the network's own address, which nobody gets; nor does the IPv4 broadcast address. */
  readonly #range: Range;

  constructor(cidr: Cidr, random: Random, ledger: Ledger<Ip> = new Ledger()) {
    this.cidr = cidr;
    this.#ledger = ledger;
    this.family = cidrFamily(cidr);
    this.#random = random;
    const size = Math.min(Number(cidrSize(cidr)), MAX_SIZE);
    const last = size - 1 - (FAMILY[this.family].hasBroadcast ? 1 : 0);
    this.#range = { first: 1, last, reserved: reservedIps(size) };
  }

  /** Any free address. */
  takeNext(holder: string): TakeResult {
    const n = pickFree(this.#range, (at) => this.#ledger.isTaken(nthIp(this.cidr, at)), this.#random);
    if (n === undefined) return { kind: "refused", why: "failed to allocate a serviceIP: range is full" };
    const ip = nthIp(this.cidr, n);
    this.#ledger.take(holder, ip);
    return { kind: "taken", ip };
  }

  /** That very address; taking what one has already is fine. */
  take(holder: string, text: string): TakeResult {
    const result = this.foresee(holder, text);
    if (result.kind === "taken") this.#ledger.take(holder, result.ip);
    return result;
  }

  /** What `take` would say. */
  foresee(holder: string, text: string): TakeResult {
    const ip = parseIp(text);
    if (!this.#isUsable(ip))
      return {
        kind: "refused",
        why: `failed to allocate IP ${ip}: the provided IP (${ip}) is not in the valid range. The range of valid IPs is ${this.cidr}`,
      };
    return !this.#ledger.isTaken(ip) || this.#ledger.isHeldBy(holder, ip)
      ? { kind: "taken", ip }
      : { kind: "refused", why: `failed to allocate IP ${ip}: provided IP is already allocated` };
  }

  settle(holder: string, ips: readonly Ip[]): void {
    this.#ledger.settle(
      holder,
      ips.filter((ip) => containsIp(this.cidr, ip)),
    );
  }

  #isUsable(ip: Ip): boolean {
    if (!containsIp(this.cidr, ip)) return false;
    const n = ipToBits(ip) - ipToBits(addressOf(this.cidr));
    return n > 0n && n < cidrSize(this.cidr) - (FAMILY[this.family].hasBroadcast ? 1n : 0n);
  }
}
