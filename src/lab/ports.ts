import { parseIp } from "#addr/ip";
import { Fault } from "#fault/fault";
import { openListeningSocket } from "#kernel/listening-socket";

/** A loopback port of the host that nobody listens on: the one asked for, or the first free one from `first` on.
 *  @throws {Fault} EADDRINUSE naming the flag when the one asked for is taken */
export function choosePort(flag: string, asked: number | undefined, first: number): number {
  if (asked !== undefined) {
    if (isFree(asked)) return asked;
    throw new Fault(
      "EADDRINUSE",
      `Cannot use --${flag} ${asked}: another program listens on 127.0.0.1 port ${asked}; choose another`,
    );
  }
  for (let port = first; port < first + 200; port++) if (isFree(port)) return port;
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
