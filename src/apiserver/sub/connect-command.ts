import type { IncomingMessage } from "node:http";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { explain } from "#fault/fault";
import { askCommand, COMMAND_PROTOCOL, type RemoteCommand } from "#kube/stream/ask-command";
import type { CommandSession, CommandWants } from "#kube/stream/command-session";
import { type CommandStatus, internalError, parseStatus } from "#kube/stream/command-status";
import { acceptCommand } from "#kube/stream/serve-command";
import { SpdyConnection } from "#kube/stream/spdy-connection";
import { formatSize } from "#kube/stream/terminal-sizes";
import { IDLE_MS } from "#kube/stream/upgrade";
import { takeUpgrade } from "../request/upgrade.ts";
import { StatusFault } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { wantsOf } from "./connect-options.ts";
import { askKubelet, type KubeletConnection } from "./connect-relay.ts";
import { spdyHeaders } from "./connect-tunnel.ts";

const MAX_SENTENCE_BYTES = 64 * 1024;

/** A client over WebSocket, a kubelet over SPDY: whatever goes wrong with the kubelet, the client hears on its error channel. */
export async function translateCommand(call: Call, connection: KubeletConnection): Promise<void> {
  const { request, response, query, api } = call;
  const near = takeUpgrade(connection.upgrade, response);
  const wants = wantsOf(query);
  const session = await acceptCommand({ request, ...near }, wants);
  if (session === undefined) return;
  const stop = () => session.destroy();
  api.signal.addEventListener("abort", stop);
  const status = await runThere(call, connection, { session, wants });
  await session.end(status);
  await session.closed;
  api.signal.removeEventListener("abort", stop);
}

interface Near {
  readonly session: CommandSession;
  readonly wants: CommandWants;
}

async function runThere(
  call: Call,
  connection: KubeletConnection,
  { session, wants }: Near,
): Promise<CommandStatus> {
  let spdy: SpdyConnection;
  try {
    const headers = spdyHeaders(call, COMMAND_PROTOCOL);
    const answer = await askKubelet(call, connection, { method: "POST", headers });
    if (answer.kind === "refused") return await refusalOf(answer.answer);
    const { socket, head } = answer;
    spdy = new SpdyConnection(socket, { side: "client", head, idleMs: IDLE_MS });
  } catch (error) {
    return internalError(error instanceof StatusFault ? error.message : explain(error));
  }
  const leave = () => spdy.destroy();
  session.gone.addEventListener("abort", leave);
  if (session.gone.aborted) leave();
  try {
    return await carryCommand(session, await askCommand(spdy, wants));
  } catch (error) {
    return internalError(explain(error));
  } finally {
    session.gone.removeEventListener("abort", leave);
    spdy.end();
  }
}

/** Carries all streams until the kubelet has said how the command ended. */
async function carryCommand({ streams }: CommandSession, far: RemoteCommand): Promise<CommandStatus> {
  const { stdin, stdout, stderr, resizes } = streams;
  if (stdin && far.stdin) stdin.pipe(far.stdin);
  if (far.resize) void passSizes(resizes, far.resize);
  const [status] = await Promise.all([
    sentenceOf(far.error),
    passOn(far.stdout, stdout),
    passOn(far.stderr, stderr),
  ]);
  return parseStatus(status);
}

/** Rejects never: a client that left is known, and that a kubelet broke off is seen by the status that does not come. */
async function passOn(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (from === undefined) return;
  if (to === undefined) from.resume();
  else await pipeline(from, to, { end: false }).catch(() => {});
}

async function passSizes(
  sizes: AsyncIterable<{ readonly columns: number; readonly rows: number }>,
  to: Writable,
): Promise<void> {
  for await (const size of sizes) to.write(formatSize(size));
}

/** What a stream says until it ends or breaks off, its beginning alone when it says too much. */
async function sentenceOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      if (size < MAX_SENTENCE_BYTES) chunks.push(bytes);
      size += bytes.length;
    }
  } catch {
    // What came is what there is.
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** A kubelet's refusal as the client is told it: its Status, or its sentence. */
async function refusalOf(answer: IncomingMessage): Promise<CommandStatus> {
  const text = (await sentenceOf(answer)).trim();
  if (text.startsWith("{") && text.includes('"Status"')) return parseStatus(text);
  return internalError(`unable to upgrade connection: ${text}`);
}
