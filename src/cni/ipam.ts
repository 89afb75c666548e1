import { linkSync, mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cidr } from "#addr/cidr";
import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import { asError, isFault } from "#fault/fault";
import { SyscallFault } from "#fault/kernel-fault";
import { AddressRange } from "./address-range.ts";
import { CniFault } from "./cni-fault.ts";
import type { AttachmentKey } from "./model.ts";

const CURSOR = "last_reserved_ip.";
const SCRATCH = ".new-";

/** What one container's interface holds. */
export interface Reservation extends AttachmentKey {
  readonly ips: readonly Ip[];
}

/** Addresses written down as the host-local plugin does: a file per address that names its holder (`id CR LF ifname`), and
 *  a cursor per family, so that a freed address is the last to be given out again. A file appears with its content or
 *  not at all: it is linked into place from a scratch file, and a link to a name that is taken is refused.
 *  @see containernetworking/plugins host-local/backend/disk */
export class Ipam {
  readonly ranges: readonly AddressRange[];
  readonly #dir: string;
  readonly #held = new Map<string, { readonly key: AttachmentKey; readonly ips: Ip[] }>();
  readonly #cursors: (Ip | undefined)[];
  readonly #nameless: string[] = [];

  /** Reads what earlier runs wrote down. @throws {SyscallFault} */
  constructor(dir: string, podCidrs: readonly Cidr[]) {
    this.#dir = dir;
    this.ranges = podCidrs.map((cidr) => new AddressRange(cidr));
    onDisk("read addresses in", dir, () => {
      mkdirSync(dir, { recursive: true, mode: 0o755 });
      for (const name of readdirSync(dir)) this.#load(name);
    });
    this.#cursors = this.ranges.map((_, i) => this.#readCursor(i));
  }

  /** One address of every range, in their order, or none at all.
   *  @throws {CniFault} "Duplicate", "Exhausted"; {SyscallFault} of the file system */
  reserve(key: AttachmentKey): readonly Ip[] {
    const id = idOf(key);
    if (this.#held.has(id))
      throw new CniFault(
        "Duplicate",
        `Cannot give ${key.ifname} of container ${key.containerId} an address: it has one already`,
        { ...key },
      );
    const ips = onDisk("write down an address in", this.#dir, () => this.#reserveAll(key));
    this.#held.set(id, { key, ips });
    return ips;
  }

  /** Absent is success. @throws {SyscallFault} of the file system */
  release(key: AttachmentKey): void {
    const id = idOf(key);
    onDisk("release an address in", this.#dir, () => {
      for (const ip of this.#held.get(id)?.ips ?? []) {
        const path = join(this.#dir, ip);
        // The file may be another's by now, if something else cleaned up here.
        if (idOf(parseHolder(readFile(path) ?? "") ?? key) === id) removeFile(path);
      }
    });
    this.#held.delete(id);
  }

  /** Frees addresses that were taken when this opened and name no holder: a writer died half-way. */
  releaseNameless(): void {
    onDisk("release an address in", this.#dir, () => {
      for (const ip of this.#nameless.splice(0)) removeFile(join(this.#dir, ip));
    });
  }

  find(key: AttachmentKey): Reservation | undefined {
    const held = this.#held.get(idOf(key));
    return held && { ...held.key, ips: held.ips };
  }

  list(): readonly Reservation[] {
    return [...this.#held.values()].map(({ key, ips }) => ({ ...key, ips }));
  }

  #reserveAll(key: AttachmentKey): Ip[] {
    const scratch = join(this.#dir, `${SCRATCH}${process.pid}`);
    writeFileSync(scratch, formatHolder(key), { mode: 0o600 });
    const ips: Ip[] = [];
    try {
      for (const [i, range] of this.ranges.entries()) ips.push(this.#reserveIn(range, i, scratch));
      return ips;
    } catch (error) {
      for (const ip of ips) removeFile(join(this.#dir, ip));
      throw error;
    } finally {
      removeFile(scratch);
    }
  }

  #reserveIn(range: AddressRange, index: number, scratch: string): Ip {
    let ip = range.after(this.#cursors[index]);
    for (let tried = 0n; tried < range.size; tried++) {
      if (linkInto(scratch, join(this.#dir, ip))) {
        writeFileSync(join(this.#dir, `${CURSOR}${index}`), ip, { mode: 0o600 });
        this.#cursors[index] = ip;
        return ip;
      }
      ip = range.after(ip);
    }
    throw new CniFault(
      "Exhausted",
      `Cannot give out an address of ${range.subnet}: all ${range.size} are taken`,
      {
        subnet: range.subnet,
      },
    );
  }

  #load(name: string): void {
    if (name.startsWith(SCRATCH)) {
      removeFile(join(this.#dir, name));
      return;
    }
    if (!isIp(name)) return;
    const key = parseHolder(readFile(join(this.#dir, name)) ?? "");
    if (!key) {
      this.#nameless.push(name);
      return;
    }
    const held = this.#held.get(idOf(key)) ?? { key, ips: [] };
    held.ips.push(parseIp(name));
    const order = this.ranges.map(({ subnet }) => familyOf(subnet));
    held.ips.sort((a, b) => order.indexOf(familyOf(a)) - order.indexOf(familyOf(b)));
    this.#held.set(idOf(key), held);
  }

  #readCursor(index: number): Ip | undefined {
    const text = readFile(join(this.#dir, `${CURSOR}${index}`))?.trim() ?? "";
    return isIp(text) ? parseIp(text) : undefined;
  }
}

export function formatHolder({ containerId, ifname }: AttachmentKey): string {
  return `${containerId}\r\n${ifname}`;
}

/** Nothing for an empty file. Very old files hold the id alone, and meant eth0. */
export function parseHolder(text: string): AttachmentKey | undefined {
  const [containerId, ifname] = text.split("\r\n").map((line) => line.trim());
  if (!containerId) return undefined;
  return { containerId, ifname: ifname || "eth0" };
}

function idOf({ containerId, ifname }: AttachmentKey): string {
  return `${containerId}/${ifname}`;
}

/** What the file system refuses becomes a fault that says where. */
function onDisk<T>(call: string, dir: string, f: () => T): T {
  try {
    return f();
  } catch (thrown) {
    const error = asError(thrown);
    if (isFault(error) || !("errno" in error)) throw error;
    throw new SyscallFault(call, dir, Math.abs(Number(error.errno)));
  }
}

/** False when the name is taken. */
function linkInto(scratch: string, path: string): boolean {
  try {
    linkSync(scratch, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

function codeOf(thrown: unknown): unknown {
  const error = asError(thrown);
  return "code" in error ? error.code : undefined;
}
