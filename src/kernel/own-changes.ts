import type { Ip } from "#addr/ip";
import type { FdbEntry } from "./kernel.ts";

/** What one kernel handle changes itself, so that it is no news to those who listen at the same handle. Most announcements name
 *  the socket that asked for the change; those of forwarding entries and of neighbours that go do not, and are recognised by what
 *  they say. */
export class OwnChanges {
  readonly #ports = new Set<number>();
  readonly #listeners = new Set<(announcement: Announcement) => void>();

  /** Changes asked for by the netlink socket at `port` are ours. */
  add(port: number): void {
    this.#ports.add(port);
  }

  has(port: number): boolean {
    return this.#ports.has(port);
  }

  /** Called just before it is asked for. */
  expect(announcement: Announcement): void {
    for (const listener of this.#listeners) listener(announcement);
  }

  /** Tells of what is about to be announced. */
  listen(listener: (announcement: Announcement) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}

export type Announcement =
  | (FdbEntry & { readonly change: "set" | "deleted" })
  | { readonly change: "deleted"; readonly link: number; readonly ip: Ip };

export function announcementText(announcement: Announcement): string {
  const { change, link } = announcement;
  const what = "ip" in announcement ? announcement.ip : `${announcement.mac} ${announcement.vtep}`;
  return `${change} ${link} ${what}`;
}
