import { parseIp } from "#addr/ip";
import { Fault } from "#fault/fault";
import type { Fd } from "#kernel/fd";
import { openListeningSocket } from "#kernel/listening-socket";

const LOOPBACK = parseIp("127.0.0.1");
const TRIES = 200;

export interface PortWish {
  /** The flag that names it. */
  readonly flag: string;
  readonly asked: number | undefined;
  /** Where to look from when none was asked for. */
  readonly first: number;
  /** Not this one, which the lab has for something else. */
  readonly except?: number;
  readonly write: (text: string) => void;
}

/** Loopback ports of the host that a lab is to have: held from when they are chosen until a node has them, so that of two labs made at
 *  once each has its own. */
export class LabPorts implements Disposable {
  readonly #held = new Map<number, Fd>();

  /** The port asked for, or the first free one from `first` on, which is told when it is not `first`.
   *  @throws {Fault} EADDRINUSE naming the flag when the one asked for is taken */
  choose({ flag, asked, first, except, write }: PortWish): number {
    if (asked !== undefined) {
      if (asked !== except && this.#hold(asked)) return asked;
      const who = asked === except ? "the lab itself needs" : "another program listens on";
      throw new Fault(
        "EADDRINUSE",
        `Cannot use --${flag} ${asked}: ${who} 127.0.0.1 port ${asked}; choose another`,
      );
    }
    const last = Math.min(first + TRIES, 65536);
    for (let port = first; port < last; port++) {
      if (port === except || !this.#hold(port)) continue;
      if (port !== first) write(`Port ${first} is taken; using ${port} instead (--${flag})\n`);
      return port;
    }
    throw new Fault("EADDRINUSE", `Cannot find a free port from ${first} on; name one with --${flag}`);
  }

  /** The port's socket, which is the caller's from now on. @throws {Fault} EADDRINUSE where it was not held and is somebody's */
  take(port: number): Fd {
    const held = this.#held.get(port);
    this.#held.delete(port);
    return held ?? openListeningSocket(LOOPBACK, port);
  }

  [Symbol.dispose](): void {
    for (const socket of this.#held.values()) socket[Symbol.dispose]();
    this.#held.clear();
  }

  #hold(port: number): boolean {
    try {
      this.#held.set(port, openListeningSocket(LOOPBACK, port));
      return true;
    } catch (error) {
      if (error instanceof Fault && error.code === "EADDRINUSE") return false;
      throw error;
    }
  }
}
