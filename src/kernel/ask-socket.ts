import { closeSync, constants, openSync } from "node:fs";
import { connect } from "node:net";
import { basename, dirname } from "node:path";
import { Fault } from "#fault/fault";

export interface AskOptions {
  /** Said before anything is read; nothing where the other end speaks unasked. */
  readonly question?: string;
  /** Of an answer; a longer one never ends. */
  readonly mostBytes: number;
  /** Without a byte for so long, nobody is there. */
  readonly withinMs: number;
  /** Said where nobody answers at all: `no Twill with a fabric of its own runs here`. */
  readonly nobody: string;
  readonly signal: AbortSignal;
}

/** All that is said at a unix socket of this machine. @throws {Fault} "NoAgent" when nobody answers, "NotRoot" */
export async function askSocket(socketPath: string, options: AskOptions): Promise<string> {
  const { question, mostBytes, withinMs, signal } = options;
  // By way of its folder, for a socket's address holds no more than 107 bytes.
  const folder = openFolder(socketPath, options);
  const socket = connect({ path: `/proc/self/fd/${folder}/${basename(socketPath)}` });
  const hangUp = () => socket.destroy(new Error("interrupted"));
  signal.addEventListener("abort", hangUp, { once: true });
  socket.setTimeout(withinMs, () => socket.destroy(new Error("no answer in time")));
  try {
    if (question !== undefined) socket.write(question);
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of socket) {
      const bytes = chunk as Buffer;
      length += bytes.length;
      if (length > mostBytes) throw new Error("it never ends");
      chunks.push(bytes);
    }
    return Buffer.concat(chunks).toString("utf8");
  } catch (cause) {
    throw noAgent(socketPath, cause, options);
  } finally {
    signal.removeEventListener("abort", hangUp);
    socket.destroy();
    closeSync(folder);
  }
}

function openFolder(socketPath: string, options: AskOptions): number {
  try {
    return openSync(dirname(socketPath), constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (cause) {
    throw noAgent(socketPath, cause, options);
  }
}

function noAgent(socketPath: string, cause: unknown, { nobody }: AskOptions): Fault {
  const code: unknown = cause instanceof Error ? Reflect.get(cause, "code") : undefined;
  if (code === "EACCES" || code === "EPERM")
    return new Fault("NotRoot", `Cannot ask at ${socketPath}: it answers root only; run this with sudo`);
  if (code === "ENOENT" || code === "ECONNREFUSED")
    return new Fault("NoAgent", `Cannot ask at ${socketPath}: ${nobody}`);
  return new Fault("NoAgent", `Cannot ask at ${socketPath}`, { cause });
}
