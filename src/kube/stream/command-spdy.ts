import type { CommandSession, CommandWants } from "./command-session.ts";
import { drainAll } from "./command-session.ts";
import { formatStatus } from "./command-status.ts";
import { SpdyConnection } from "./spdy-connection.ts";
import type { SpdyStream } from "./spdy-stream.ts";
import { terminalSizes } from "./terminal-sizes.ts";
import { acceptSpdy, IDLE_MS, STREAMS_WITHIN_MS, type Upgrade } from "./upgrade.ts";

/** What a version of the protocol can do. */
interface Version {
  readonly hasResize: boolean;
  readonly form: "json" | "text";
  /** Our half of stdin ends as soon as the command begins, as clients of the first version wait for. */
  readonly endsStdinAtOnce: boolean;
}

const VERSIONS: Readonly<Record<string, Version>> = {
  "v4.channel.k8s.io": { hasResize: true, form: "json", endsStdinAtOnce: false },
  "v3.channel.k8s.io": { hasResize: true, form: "text", endsStdinAtOnce: false },
  "v2.channel.k8s.io": { hasResize: false, form: "text", endsStdinAtOnce: false },
  "channel.k8s.io": { hasResize: false, form: "text", endsStdinAtOnce: true },
};

type StreamType = "error" | "stdin" | "stdout" | "stderr" | "resize";
type Streams = { [Type in StreamType]?: SpdyStream };

/** Answers the upgrade and waits for the streams that the client said it wants. Undefined when it was refused, or the client
 *  never opened them. */
export async function acceptSpdyCommand(
  upgrade: Upgrade,
  wants: CommandWants,
  { idleMs = IDLE_MS }: { readonly idleMs?: number } = {},
): Promise<CommandSession | undefined> {
  const version = VERSIONS[acceptSpdy(upgrade, Object.keys(VERSIONS)) ?? ""];
  if (version === undefined) return undefined;
  const streams: Streams = {};
  const expected = expectedOf(wants, version);
  const all = Promise.withResolvers<boolean>();
  const connection = new SpdyConnection(upgrade.socket, {
    side: "server",
    head: upgrade.head,
    idleMs,
    accept: (stream) => {
      const type = expected.find((each) => each === stream.headers.get("streamtype"));
      if (type === undefined || streams[type] !== undefined) return false;
      streams[type] = stream;
      if (expected.every((each) => streams[each] !== undefined)) all.resolve(true);
      return true;
    },
  });
  const late = setTimeout(() => all.resolve(false), STREAMS_WITHIN_MS);
  const isComplete = await Promise.race([all.promise, connection.closed.then(() => false)]);
  clearTimeout(late);
  if (isComplete) return sessionOf(connection, streams, version);
  connection.destroy();
  return undefined;
}

function expectedOf(
  { stdin, stdout, stderr, tty }: CommandWants,
  { hasResize }: Version,
): readonly StreamType[] {
  const types: readonly (readonly [StreamType, boolean])[] = [
    ["error", true],
    ["stdin", stdin],
    ["stdout", stdout],
    ["stderr", stderr && !tty],
    ["resize", tty && hasResize],
  ];
  return types.filter(([, isWanted]) => isWanted).map(([type]) => type);
}

function sessionOf(connection: SpdyConnection, streams: Streams, version: Version): CommandSession {
  const { error, stdin, stdout, stderr, resize } = streams;
  const gone = new AbortController();
  const closed = connection.closed.then(() => gone.abort());
  // Clients say nothing on these; that they close them is not to hold anything up.
  for (const stream of [error, stdout, stderr]) stream?.resume();
  if (version.endsStdinAtOnce) stdin?.end();
  return {
    streams: {
      ...(stdin && { stdin }),
      ...(stdout && { stdout }),
      ...(stderr && { stderr }),
      resizes: terminalSizes(resize, { signal: gone.signal }),
    },
    gone: gone.signal,
    closed,
    end: async (status) => {
      await drainAll([stdout, stderr]);
      error?.write(formatStatus(status, version.form));
      await drainAll([error, stdin, resize]);
      connection.end();
    },
    destroy: () => connection.destroy(),
  };
}
