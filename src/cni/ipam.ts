import type { Cidr } from "#addr/cidr";
import { familyOf, type Ip } from "#addr/ip";
import { AddressFiles } from "./address-files.ts";
import { AddressRange } from "./address-range.ts";
import { CniFault } from "./cni-fault.ts";
import type { AttachmentKey } from "./model.ts";

/** What one container's interface holds. */
export interface Reservation extends AttachmentKey {
  readonly ips: readonly Ip[];
}

/** Addresses of this node's subnets, written down as the host-local plugin does. A cursor per range makes a freed address the
 *  last to be given out again. Nothing is forced to the disk: what a lost machine forgets, its pods have lost too. */
export class Ipam {
  readonly ranges: readonly AddressRange[];
  readonly #files: AddressFiles;
  readonly #held = new Map<string, { readonly key: AttachmentKey; readonly ips: Ip[] }>();
  readonly #cursors: (Ip | undefined)[];
  readonly #nameless: Ip[] = [];

  /** Reads what earlier runs wrote down. @throws {SyscallFault} */
  constructor(dir: string, podCidrs: readonly Cidr[]) {
    this.ranges = podCidrs.map((cidr) => new AddressRange(cidr));
    this.#files = new AddressFiles(dir);
    for (const { ip, holder } of this.#files.list()) this.#load(ip, holder);
    this.#cursors = this.ranges.map((_, i) => this.#files.readCursor(i));
  }

  /** One address of every range, in their order, or none at all; of a range that one of `wishes` is in, that one.
   *  @throws {CniFault} "Duplicate", "Exhausted", "Taken", "BadRequest"; {SyscallFault} of the file system */
  reserve(key: AttachmentKey, wishes: readonly Ip[] = []): readonly Ip[] {
    const id = idOf(key);
    if (this.#held.has(id))
      throw new CniFault(
        "Duplicate",
        `Cannot give ${key.ifname} of container ${key.containerId} an address: it has one already`,
        { ...key },
      );
    const wishOf = this.#sortWishes(wishes);
    const ips: Ip[] = [];
    this.#files.locked(() => {
      try {
        for (const index of this.ranges.keys())
          ips.push(this.#reserveIn(index, key, ips[0], wishOf.get(index)));
      } catch (error) {
        for (const ip of ips) this.#files.release(ip, key);
        throw error;
      }
    });
    this.#held.set(id, { key, ips });
    return ips;
  }

  /** Absent is success. @throws {SyscallFault} of the file system */
  release(key: AttachmentKey): void {
    const id = idOf(key);
    const held = this.#held.get(id);
    if (!held) return;
    this.#files.locked(() => {
      for (const ip of held.ips) this.#files.release(ip, key);
    });
    this.#held.delete(id);
  }

  /** Frees addresses that were taken when this opened and name no holder: a writer died half-way. */
  releaseNameless(): void {
    for (const ip of this.#nameless.splice(0)) this.#files.release(ip, undefined);
  }

  find(key: AttachmentKey): Reservation | undefined {
    const held = this.#held.get(idOf(key));
    return held && { ...held.key, ips: held.ips };
  }

  list(): readonly Reservation[] {
    return [...this.#held.values()].map(({ key, ips }) => ({ ...key, ips }));
  }

  /** The address is taken before the cursor moves: whoever dies in between has taken an address, not given it out twice. */
  #reserveIn(index: number, key: AttachmentKey, other: Ip | undefined, wish: Ip | undefined): Ip {
    const range = this.ranges[index];
    if (!range) throw new Error(`broken invariant: there is no range ${index}`);
    const take = (ip: Ip) =>
      other === undefined ? this.#files.take(ip, key) : this.#files.takeAlso(ip, other);
    if (wish !== undefined) {
      // The cursor stays: it says what was given out by turns.
      if (take(wish)) return wish;
      throw new CniFault("Taken", `Cannot give out ${wish}: somebody has it`, { ip: wish });
    }
    let ip = range.after(this.#cursors[index]);
    for (let tried = 0n; tried < range.size; tried++) {
      if (take(ip)) {
        this.#files.writeCursor(index, ip);
        this.#cursors[index] = ip;
        return ip;
      }
      ip = range.after(ip);
    }
    throw new CniFault(
      "Exhausted",
      `Cannot give out an address of ${range.subnet}: all ${range.size} are taken`,
      { subnet: range.subnet },
    );
  }

  /** By the range they are in. @throws {CniFault} "BadRequest" */
  #sortWishes(wishes: readonly Ip[]): ReadonlyMap<number, Ip> {
    const sorted = new Map<number, Ip>();
    for (const ip of wishes) {
      const index = this.ranges.findIndex((range) => range.contains(ip));
      if (index < 0)
        throw new CniFault(
          "BadRequest",
          `Cannot give out ${ip}: it is none of this node's addresses for pods`,
          { ip },
        );
      if (sorted.has(index))
        throw new CniFault(
          "BadRequest",
          `Cannot give out ${ip}: one address of ${this.ranges[index]?.subnet} is wanted already`,
          { ip },
        );
      sorted.set(index, ip);
    }
    return sorted;
  }

  #load(ip: Ip, key: AttachmentKey | undefined): void {
    if (!key) {
      this.#nameless.push(ip);
      return;
    }
    const held = this.#held.get(idOf(key)) ?? { key, ips: [] };
    held.ips.push(ip);
    const order = this.ranges.map(({ subnet }) => familyOf(subnet));
    held.ips.sort((a, b) => order.indexOf(familyOf(a)) - order.indexOf(familyOf(b)));
    this.#held.set(idOf(key), held);
  }
}

function idOf({ containerId, ifname }: AttachmentKey): string {
  return `${containerId}/${ifname}`;
}
