import { parseIp } from "#addr/ip";
import { Fault } from "#fault/fault";
import { openListeningSocket } from "#kernel/listening-socket";

const TRIES = 200;

export interface PortWish {
  /** The flag that names it. */
  readonly flag: string;
  readonly asked: number | undefined;
  /** Where to look from when none was asked for. */
  readonly first: number;
  /** Not this one, though nobody listens there yet. */
  readonly except?: number;
  readonly write: (text: string) => void;
}

/** A loopback port of the host that nobody listens on: the one asked for, or the first free one from `first` on, which is
 *  told when it is not `first`. @throws {Fault} EADDRINUSE naming the flag when the one asked for is taken */
export function choosePort({ flag, asked, first, except, write }: PortWish): number {
  if (asked !== undefined) {
    if (asked !== except && isFree(asked)) return asked;
    const who = asked === except ? "the lab itself needs" : "another program listens on";
    throw new Fault(
      "EADDRINUSE",
      `Cannot use --${flag} ${asked}: ${who} 127.0.0.1 port ${asked}; choose another`,
    );
  }
  const last = Math.min(first + TRIES, 65536);
  for (let port = first; port < last; port++) {
    if (port === except || !isFree(port)) continue;
    if (port !== first) write(`Port ${first} is taken; using ${port} instead (--${flag})\n`);
    return port;
  }
  throw new Fault("EADDRINUSE", `Cannot find a free port from ${first} on; name one with --${flag}`);
}

function isFree(port: number): boolean {
  try {
    openListeningSocket(parseIp("127.0.0.1"), port)[Symbol.dispose]();
    return true;
  } catch (error) {
    if (error instanceof Fault && error.code === "EADDRINUSE") return false;
    throw error;
  }
}
