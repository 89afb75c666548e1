import type { Readable, Writable } from "node:stream";
import type { CommandWants } from "./command-session.ts";
import type { SpdyConnection } from "./spdy-connection.ts";

/** The client's end of one remote command over SPDY, version 4. */
export interface RemoteCommand {
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  readonly resize: Writable | undefined;
  /** Carries one Status, at the end. */
  readonly error: Readable;
}

/** The version that every kubelet and runtime has. */
export const COMMAND_PROTOCOL = "v4.channel.k8s.io";

/** Opens the streams that are wanted. @throws {Fault} "Closed" when the server does not take them */
export async function askCommand(
  connection: SpdyConnection,
  { stdin, stdout, stderr, tty }: CommandWants,
): Promise<RemoteCommand> {
  const open = async (type: string, isWanted: boolean) =>
    isWanted ? await connection.open(new Map([["streamtype", type]])) : undefined;
  const [error, input, output, errors, resize] = await Promise.all([
    connection.open(new Map([["streamtype", "error"]])),
    open("stdin", stdin),
    open("stdout", stdout),
    open("stderr", stderr && !tty),
    open("resize", tty),
  ]);
  // What servers say on a client's own streams, which is nothing, holds nothing up.
  for (const stream of [input, resize]) stream?.resume();
  return { stdin: input, stdout: output, stderr: errors, resize, error };
}
