import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Ip, isIp, parseIp } from "#addr/ip";
import { asError, isFault } from "#fault/fault";
import { SyscallFault } from "#fault/kernel-fault";
import { withFileLock } from "#kernel/file-lock";
import type { AttachmentKey } from "./model.ts";

const CURSOR = "last_reserved_ip.";
/** Of versions that linked addresses into place. */
const SCRATCH = ".new-";
const PRIVATE = 0o600;
const LOCK = "lock";
/** host-local has it for some milliseconds; longer, somebody hangs, and the caller had better try again. */
const LOCK_PATIENCE_MS = 2000;

/** host-local's folder: a file per address that names its holder (`id CR LF ifname`), and a cursor per range.
 *  @see containernetworking/plugins host-local/backend/disk */
export class AddressFiles {
  readonly #dir: string;

  /** The folder stands. @throws {SyscallFault} */
  constructor(dir: string) {
    this.#dir = dir;
    this.#onDisk("read addresses in", () => mkdirSync(dir, { recursive: true, mode: 0o755 }));
  }

  /** Every address that is taken; without a holder where its writer died half-way. @throws {SyscallFault} */
  list(): readonly { readonly ip: Ip; readonly holder: AttachmentKey | undefined }[] {
    return this.#onDisk("read addresses in", () => {
      const names = readdirSync(this.#dir);
      for (const name of names) if (name.startsWith(SCRATCH)) this.#remove(name);
      return names.filter(isIp).map((name) => ({ ip: parseIp(name), holder: this.#holder(name) }));
    });
  }

  /** Runs `f` while host-local keeps out. @throws {SyscallFault} EAGAIN when somebody does not let go */
  locked<T>(f: () => T): T {
    return withFileLock(join(this.#dir, LOCK), { patienceMs: LOCK_PATIENCE_MS }, f);
  }

  /** False when somebody has it. The name alone takes the address, so from here on nobody else is given it: neither when we
   *  die before the holder is in the file, nor by host-local. @throws {SyscallFault} */
  take(ip: Ip, holder: AttachmentKey): boolean {
    return this.#onDisk("write down an address in", () => {
      const fd = this.#create(ip);
      if (fd === undefined) return false;
      try {
        writeSync(fd, formatHolder(holder));
      } catch (error) {
        this.#remove(ip);
        throw error;
      } finally {
        closeSync(fd);
      }
      return true;
    });
  }

  /** Takes `ip` for whoever has `other`, in one step. False when somebody has it. @throws {SyscallFault} */
  takeAlso(ip: Ip, other: Ip): boolean {
    return this.#onDisk("write down an address in", () =>
      tolerating("EEXIST", false, () => {
        linkSync(join(this.#dir, other), join(this.#dir, ip));
        return true;
      }),
    );
  }

  /** Only if it is theirs: something else may have cleaned up here. Absent is success. @throws {SyscallFault} */
  release(ip: Ip, holder: AttachmentKey | undefined): void {
    this.#onDisk("release an address in", () => {
      const found = this.#holder(ip);
      if (found?.containerId === holder?.containerId && found?.ifname === holder?.ifname) this.#remove(ip);
    });
  }

  readCursor(index: number): Ip | undefined {
    const text = this.#onDisk("read addresses in", () => this.#read(`${CURSOR}${index}`))?.trim() ?? "";
    return isIp(text) ? parseIp(text) : undefined;
  }

  /** Written over what is there: ext4 answers to an emptied file by waiting for the disk, for milliseconds. A cursor is a
   *  hint where to look first, so one that a crash left half-way does no harm. */
  writeCursor(index: number, ip: Ip): void {
    this.#onDisk("write down an address in", () => {
      const path = join(this.#dir, `${CURSOR}${index}`);
      const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, PRIVATE);
      try {
        const length = writeSync(fd, ip, 0);
        // host-local takes no padding.
        if (fstatSync(fd).size > length) ftruncateSync(fd, length);
      } finally {
        closeSync(fd);
      }
    });
  }

  #create(ip: Ip): number | undefined {
    return tolerating("EEXIST", undefined, () => openSync(join(this.#dir, ip), "wx", PRIVATE));
  }

  #holder(name: string): AttachmentKey | undefined {
    return parseHolder(this.#read(name) ?? "");
  }

  #read(name: string): string | undefined {
    return tolerating("ENOENT", undefined, () => readFileSync(join(this.#dir, name), "utf8"));
  }

  #remove(name: string): void {
    tolerating("ENOENT", undefined, () => unlinkSync(join(this.#dir, name)));
  }

  /** What the file system refuses becomes a fault that says where. */
  #onDisk<T>(call: string, f: () => T): T {
    try {
      return f();
    } catch (thrown) {
      const error = asError(thrown);
      if (isFault(error) || !("errno" in error)) throw error;
      throw new SyscallFault(call, this.#dir, Math.abs(Number(error.errno)));
    }
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

function tolerating<T, O>(code: "EEXIST" | "ENOENT", otherwise: O, f: () => T): T | O {
  try {
    return f();
  } catch (thrown) {
    const error = asError(thrown);
    if ("code" in error && error.code === code) return otherwise;
    throw error;
  }
}
