import { explain } from "#fault/fault";
import type { CommandSession, CommandWants } from "./command-session.ts";
import { acceptSpdyCommand } from "./command-spdy.ts";
import { statusOf } from "./command-status.ts";
import { acceptWebSocketCommand } from "./command-websocket.ts";
import type { CommandEnd, CommandStreams } from "./session.ts";
import { IDLE_MS, isWebSocket, type Upgrade } from "./upgrade.ts";

export type { CommandWants } from "./command-session.ts";

export interface CommandService {
  readonly wants: CommandWants;
  /** Runs the command; what it rejects with is told to the client like an `error`. The signal aborts when the client is gone. */
  readonly run: (streams: CommandStreams, options: { readonly signal: AbortSignal }) => Promise<CommandEnd>;
  /** Ends the session when the server ends. */
  readonly signal: AbortSignal;
  /** How long nothing may be said; four hours by default. */
  readonly idleMs?: number;
}

/** Answers the upgrade and serves one remote command (exec or attach) over SPDY or WebSocket, whichever the client asked for; a
 *  client without a protocol in common is refused. Resolves when the connection is over and the command has ended; never rejects. */
export async function serveCommand(upgrade: Upgrade, service: CommandService): Promise<void> {
  const session = await acceptCommand(upgrade, service.wants, service);
  if (session === undefined) return;
  const stop = () => session.destroy();
  service.signal.addEventListener("abort", stop);
  if (service.signal.aborted) stop();
  const end = await endOf(service, session);
  await session.end(statusOf(end));
  await session.closed;
  service.signal.removeEventListener("abort", stop);
}

async function endOf(
  { run, signal }: CommandService,
  { streams, gone }: CommandSession,
): Promise<CommandEnd> {
  try {
    return await run(streams, { signal: AbortSignal.any([gone, signal]) });
  } catch (error) {
    return { error: explain(error) };
  }
}

/** The server's end of the remote command that the client asks for; undefined when the client was refused or left. */
export async function acceptCommand(
  upgrade: Upgrade,
  wants: CommandWants,
  { idleMs = IDLE_MS }: { readonly idleMs?: number } = {},
): Promise<CommandSession | undefined> {
  return isWebSocket(upgrade.request)
    ? await acceptWebSocketCommand(upgrade, wants, { idleMs })
    : await acceptSpdyCommand(upgrade, wants, { idleMs });
}
