import type { FdbEntry } from "./kernel.ts";

/** What one kernel handle changes itself, so that it is no news to those who listen at the same handle. Most announcements name
 *  the socket that asked for the change; those of forwarding entries do not, and are recognised by what they say. */
export class OwnChanges {
  readonly #ports = new Set<number>();
  readonly #listeners = new Set<(entry: FdbAnnouncement) => void>();

  /** Changes asked for by the netlink socket at `port` are ours. */
  add(port: number): void {
    this.#ports.add(port);
  }

  has(port: number): boolean {
    return this.#ports.has(port);
  }

  /** Called just before a forwarding entry is asked for. */
  expect(entry: FdbAnnouncement): void {
    for (const listener of this.#listeners) listener(entry);
  }

  /** Tells of entries that are about to be announced. */
  listen(listener: (entry: FdbAnnouncement) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

export interface FdbAnnouncement extends FdbEntry {
  readonly change: "set" | "deleted";
}

export function fdbText({ change, link, mac, vtep }: FdbAnnouncement): string {
  return `${change} ${link} ${mac} ${vtep}`;
}
