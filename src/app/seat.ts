import { createHash, randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { holdName } from "#life/hold-name";

/** A candidate's name, for as long as the candidate lives. */
export interface Seat extends Disposable {
  readonly identity: string;
}

/** What a program without a folder of its own is called among those that wait for a lease: the same as its predecessor here, which is over, so
 *  that nobody waits for that one's lease to run out. Two at once in one place have different names.
 *  @param what tells leases apart */
export async function takeSeat(what: string): Promise<Seat> {
  const host = hostname().toLowerCase();
  const place = placeOf();
  const id = createHash("sha256").update(`${place} ${what}`).digest("hex").slice(0, 32);
  const hold = place === undefined ? undefined : await holdName(`twill-seat-${id}`);
  if (hold) return { identity: `${host}_${id}`, [Symbol.dispose]: () => hold[Symbol.dispose]() };
  return { identity: `${host}_${randomUUID()}`, [Symbol.dispose]: () => {} };
}

/** This boot of this machine, and the network namespace, which is what a seat's name is held in. */
function placeOf(): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot} ${readlinkSync("/proc/self/ns/net")}`;
  } catch {
    return undefined;
  }
}
