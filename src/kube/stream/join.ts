import type { Duplex } from "node:stream";

/** How long one side may stay open after the other has closed and everything has been said. */
const LINGER_MS = 10_000;

/** Carries bytes both ways until both sides are closed. What one has said still reaches the other, whether it ended or broke off, and even
 *  while the other goes on talking to nobody. */
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
  if (to.destroyed) return;
  // Ending, not destroying: what waits in `to` was said before.
  if (!from.readableEnded) to.end(() => to.destroy());
  lingerOn(to);
}

function lingerOn(socket: Duplex): void {
  const arm = () => {
    const late = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.once("close", () => clearTimeout(late));
  };
  if (socket.writableFinished) arm();
  else socket.once("finish", arm);
}
