import { type ChannelForm, ChannelSocket } from "./channel-socket.ts";
import type { CommandSession, CommandWants } from "./command-session.ts";
import { drainAll } from "./command-session.ts";
import { formatStatus } from "./command-status.ts";
import { openWebSocket } from "./open-websocket.ts";
import { terminalSizes } from "./terminal-sizes.ts";
import { IDLE_MS, type Upgrade } from "./upgrade.ts";

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

interface Version extends ChannelForm {
  readonly form: "json" | "text";
}

/** By subprotocol; a client that names none gets the oldest. */
const VERSIONS: Readonly<Record<string, Version>> = {
  "v5.channel.k8s.io": { isBase64: false, canClose: true, form: "json" },
  "v4.channel.k8s.io": { isBase64: false, canClose: false, form: "json" },
  "v4.base64.channel.k8s.io": { isBase64: true, canClose: false, form: "json" },
  "channel.k8s.io": { isBase64: false, canClose: false, form: "text" },
  "base64.channel.k8s.io": { isBase64: true, canClose: false, form: "text" },
  "": { isBase64: false, canClose: false, form: "text" },
};

/** Answers the upgrade; the client's streams are there at once. Undefined when it was refused. */
export async function acceptWebSocketCommand(
  upgrade: Upgrade,
  { stdin, stdout, stderr, tty }: CommandWants,
  { idleMs = IDLE_MS }: { readonly idleMs?: number } = {},
): Promise<CommandSession | undefined> {
  const open = await openWebSocket(upgrade, Object.keys(VERSIONS));
  const version = VERSIONS[open?.protocol ?? ""];
  if (open === undefined || version === undefined) return undefined;
  const channels = new ChannelSocket(open.webSocket, version, { idleMs });
  const gone = new AbortController();
  const closed = channels.closed.then(() => gone.abort());
  const hasStderr = stderr && !tty;
  const output = stdout ? channels.writer(CHANNEL.stdout) : undefined;
  const errors = hasStderr ? channels.writer(CHANNEL.stderr) : undefined;
  const status = channels.writer(CHANNEL.error);
  channels.greet(stdout ? CHANNEL.stdout : hasStderr ? CHANNEL.stderr : CHANNEL.error);
  return {
    streams: {
      ...(stdin && { stdin: channels.reader(CHANNEL.stdin) }),
      ...(output && { stdout: output }),
      ...(errors && { stderr: errors }),
      resizes: terminalSizes(channels.reader(CHANNEL.resize), { signal: gone.signal }),
    },
    gone: gone.signal,
    closed,
    end: async (end) => {
      await drainAll([output, errors]);
      const text = formatStatus(end, version.form);
      if (text !== "") status.write(text);
      await drainAll([status]);
      channels.end();
    },
    destroy: () => channels.destroy(),
  };
}
