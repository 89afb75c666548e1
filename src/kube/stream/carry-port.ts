import { Socket } from "node:net";
import type { Duplex, Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { explain, isFault } from "#fault/fault";

export interface PortService {
  /** Connects to one of the pod's ports; what it rejects with is told to the client, and ends nothing but this one connection. */
  readonly dial: (port: number, options: { readonly signal: AbortSignal }) => Promise<Duplex>;
  /** Named in the sentences that the client sees: `NAMESPACE/POD` or a uid. */
  readonly pod: string;
  readonly signal: AbortSignal;
  /** How long nothing may be said; four hours by default. */
  readonly idleMs?: number;
}

/** The client's end of one forwarded connection. */
export interface PortEnds {
  readonly port: number;
  /** May be one and the same stream. */
  readonly input: Readable;
  readonly output: Writable;
  /** Carries at most one sentence. */
  readonly error: Writable;
}

/** Carries one connection between the client and a port of the pod until both directions have ended, or the signal says that the
 *  client is gone. Never rejects. */
export async function carryPort(
  { port, input, output, error }: PortEnds,
  { dial, pod }: PortService,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  let far: Duplex;
  try {
    far = await dial(port, { signal });
  } catch (why) {
    error.end(`error forwarding port ${port} to pod ${pod}: ${explain(why)}`);
    input.destroy();
    output.destroy();
    return;
  }
  if (far instanceof Socket) far.setNoDelay(true);
  const cut = () => far.destroy();
  signal.addEventListener("abort", cut);
  if (signal.aborted) cut();
  // A client that resets its stream wants to hear nothing more; one that has heard all waits for what it said to arrive.
  input.once("close", () => {
    if (!far.readableEnded) cut();
  });
  input.pipe(far);
  far.pipe(output);
  const sentence = await finished(far).then(
    () => "",
    (why: unknown) => sentenceOf(why),
  );
  signal.removeEventListener("abort", cut);
  if (!far.readableEnded) output.destroy();
  error.end(sentence);
}

/** Clients give the whole forward up for any sentence: one that was there and broke off is not told. */
function sentenceOf(why: unknown): string {
  return isFault(why) && why.code === "DialFailed" ? why.message : "";
}
