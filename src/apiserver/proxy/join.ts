import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** How long one side may stay open after the other has closed and everything has been said. */
const LINGER_MS = 10_000;

/** Carries bytes both ways until both sides are closed: what one has said still reaches the other when it ends, and a side that breaks off
 *  takes the other along. */
export async function join(
  near: Duplex,
  far: Duplex,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const cut = () => {
    near.destroy();
    far.destroy();
  };
  signal.addEventListener("abort", cut);
  if (signal.aborted) cut();
  await Promise.all([carry(near, far), carry(far, near)]);
  signal.removeEventListener("abort", cut);
}

/** Resolves when `from` is closed. */
async function carry(from: Duplex, to: Duplex): Promise<void> {
  from.on("error", () => from.destroy());
  from.pipe(to);
  if (!from.closed) await new Promise((resolve) => from.once("close", resolve));
  if (!from.readableEnded) to.destroy();
  else if (to.writableFinished) lingerOn(to);
  else to.once("finish", () => lingerOn(to));
}

function lingerOn(socket: Duplex): void {
  if (socket.destroyed) return;
  const late = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(late));
}

/** An answer's first lines as they came. */
export function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}\r\n`] : []));
  return `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${lines.join("")}\r\n`;
}
