import type { Readable } from "node:stream";
import type { CommandEnd, CommandStreams, TerminalSize } from "#kube/stream/session";
import type { OutputListener } from "../pump.ts";

/** A running container's own streams. */
export interface OwnStreams {
  /** Hears what it writes from now on. @returns the way to stop hearing; undefined once it has ended */
  subscribe(listener: OutputListener): (() => void) | undefined;
  /** Resolves when it has ended and all that it wrote was told. */
  readonly ended: Promise<void>;
  /** Takes a client's input until that ends or the client leaves; undefined when the container reads none.
   *  @returns the way to stop */
  readonly takeInput: ((input: Readable) => () => void) | undefined;
  readonly resize: ((size: TerminalSize) => void) | undefined;
}

/** What a client may leave unread before it is sent away: the container does not wait for those who watch it. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;

/** Joins a client to a container's own streams until the container ends or the client leaves. */
export async function attach(
  container: OwnStreams,
  streams: CommandStreams,
  { signal }: { signal: AbortSignal },
): Promise<CommandEnd> {
  const over = Promise.withResolvers<CommandEnd>();
  const stopHearing = container.subscribe((stream, piece) => {
    const target = streams[stream];
    if (!target || target.destroyed) return;
    target.write(piece);
    if (target.writableLength > MAX_UNREAD_BYTES)
      over.resolve({ error: "the container writes faster than the client reads; its log has everything" });
  });
  if (!stopHearing) return { code: 0 };
  const stopInput = takeInput(container, streams);
  const { resize } = container;
  if (resize) void followSizes(streams, resize);
  const leave = () => over.resolve({ error: "the client has left" });
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  void container.ended.then(() => over.resolve({ code: 0 }));
  try {
    return await over.promise;
  } finally {
    stopHearing();
    stopInput();
    signal.removeEventListener("abort", leave);
  }
}

/** Input that nobody takes must not hold up the other streams. */
function takeInput({ takeInput: take }: OwnStreams, { stdin }: CommandStreams): () => void {
  if (stdin && take) return take(stdin);
  stdin?.resume();
  return () => {};
}

async function followSizes({ resizes }: CommandStreams, resize: (size: TerminalSize) => void): Promise<void> {
  for await (const size of resizes) resize(size);
}
