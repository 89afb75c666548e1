import {
  addressOf,
  type Cidr,
  cidrFamily,
  containsCidr,
  nthSubnet,
  overlaps,
  prefixLength,
} from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { ipToBits } from "#addr/ip";

/** The equal-sized subnets of one network, and which of them are taken. Freed ones are handed out last. */
export class CidrSet {
  readonly cluster: Cidr;
  readonly #mask: number;
  readonly #size: number;
  readonly #taken = new Set<number>();
  #next = 0;

  constructor(cluster: Cidr, mask: number) {
    this.cluster = cluster;
    this.#mask = mask;
    this.#size = 2 ** Math.max(0, mask - prefixLength(cluster));
  }

  /** A subnet nobody has; undefined when all are taken. */
  allocate(): Cidr | undefined {
    if (this.#taken.size >= this.#size) return undefined;
    while (this.#taken.has(this.#next)) this.#next = (this.#next + 1) % this.#size;
    const index = this.#next;
    this.#taken.add(index);
    this.#next = (index + 1) % this.#size;
    return nthSubnet(this.cluster, this.#mask, index);
  }

  /** Marks every subnet that `cidr` touches; false when it lies outside the network. */
  occupy(cidr: Cidr): boolean {
    const range = this.#rangeOf(cidr);
    if (range === undefined) return false;
    for (let index = range.first; index <= range.last; index++) this.#taken.add(index);
    return true;
  }

  release(cidr: Cidr): void {
    const range = this.#rangeOf(cidr);
    if (range === undefined) return;
    for (let index = range.first; index <= range.last; index++) this.#taken.delete(index);
  }

  #rangeOf(cidr: Cidr): { first: number; last: number } | undefined {
    if (!overlaps(this.cluster, cidr)) return undefined;
    if (containsCidr(cidr, this.cluster)) return { first: 0, last: this.#size - 1 };
    const shift = BigInt(FAMILY[cidrFamily(cidr)].bits - this.#mask);
    const first = Number((ipToBits(addressOf(cidr)) - ipToBits(addressOf(this.cluster))) >> shift);
    const count = 2 ** Math.max(0, this.#mask - prefixLength(cidr));
    return { first, last: first + count - 1 };
  }
}
