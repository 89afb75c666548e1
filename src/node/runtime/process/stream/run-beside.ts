import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { explain } from "#fault/fault";
import type { Fd } from "#kernel/fd";
import { openPipe } from "#kernel/pipe";
import type { StartedProcess } from "#kernel/sandbox";
import { openTerminalFor } from "#kernel/terminal";
import { TerminalStream } from "#kernel/terminal-stream";
import type { CommandEnd, CommandStreams, TerminalSize } from "#kube/stream/session";
import { exitOf } from "../exec.ts";
import { type Copying, copyOutput } from "./copy.ts";

/** A running container, as far as another program can be started beside its own. */
export interface Besides {
  readonly pid: number;
  readonly uid: number;
  start(options: BesideOptions): StartedProcess;
}

export interface BesideOptions {
  readonly command: readonly string[];
  readonly stdio: readonly [number | undefined, number | undefined, number | undefined];
  /** The first of `stdio` becomes the program's controlling terminal. */
  readonly isTerminal: boolean;
}

export interface RunOptions {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly signal: AbortSignal;
}

/** Runs a command beside a container's own program until it ends. When the client leaves, a program with a terminal gets SIGHUP; one
 *  without goes on, and loses its input and output. */
export async function runBeside(
  container: Besides,
  streams: CommandStreams,
  options: RunOptions,
): Promise<CommandEnd> {
  try {
    return await (options.tty ? onTerminal : onPipes)(container, streams, options);
  } catch (error) {
    // As runc says it, and tools look for it: `... exec: "x": executable file not found in $PATH`.
    return { error: `exec failed: unable to start container process: ${explain(error)}` };
  }
}

/** The terminal goes when the program cannot be started. @returns its exit code, once it has ended */
function startOn(
  peer: Fd,
  container: Besides,
  command: readonly string[],
  shown: TerminalStream,
): Promise<number> {
  try {
    const stdio = [peer.number, peer.number, peer.number] as const;
    return endOf(container.start({ command, stdio, isTerminal: true }));
  } catch (error) {
    shown.destroy();
    throw error;
  } finally {
    peer[Symbol.dispose]();
  }
}

/** Clients tell the size right after they have come; a program that starts before draws for none. */
const FIRST_SIZE_MS = 200;

async function onTerminal(
  container: Besides,
  streams: CommandStreams,
  options: RunOptions,
): Promise<CommandEnd> {
  using terminal = openTerminalFor(container.pid, container.uid);
  const { master, peer } = terminal;
  const sizes = streams.resizes[Symbol.asyncIterator]();
  const first = sizes.next();
  const inTime = await Promise.race([first, wait(FIRST_SIZE_MS)]);
  const shown = new TerminalStream(master);
  if (inTime && !inTime.done) shown.resize(inTime.value);
  const ended = startOn(peer, container, options.command, shown);
  void followSizes(shown, inTime ? sizes.next() : first, sizes);
  streams.stdin?.pipe(shown, { end: false });
  const output = streams.stdout ? [copyOutput(shown, streams.stdout)] : [];
  if (!streams.stdout) shown.resume();
  return await untilEnd(ended, output, { signal: options.signal, cut: () => shown.destroy() });
}

async function onPipes(
  container: Besides,
  streams: CommandStreams,
  options: RunOptions,
): Promise<CommandEnd> {
  using pipes = new DisposableStack();
  const openFor = (stream: unknown) => {
    if (stream === undefined) return undefined;
    const { from, to } = openPipe(container.uid);
    return { from: pipes.use(from), to: pipes.use(to) };
  };
  const [input, output, errors] = [streams.stdin, streams.stdout, streams.stderr].map(openFor);
  const stdio = [input?.from.number, output?.to.number, errors?.to.number] as const;
  const child = container.start({ command: options.command, stdio, isTerminal: false });
  const ended = endOf(child);
  const outputs = [
    ...(streams.stdout && output ? [copyOutput(fromPipe(output.from), streams.stdout)] : []),
    ...(streams.stderr && errors ? [copyOutput(fromPipe(errors.from), streams.stderr)] : []),
  ];
  const stopInput = streams.stdin && input ? giveInput(streams.stdin, input.to) : () => {};
  pipes.dispose(); // The program alone has its ends.
  return await untilEnd(ended, outputs, { signal: options.signal, cut: stopInput });
}

/** The command's end, once its output has been taken; or, when the client leaves, that it did. */
async function untilEnd(
  ended: Promise<number>,
  outputs: readonly Copying[],
  { signal, cut }: { signal: AbortSignal; cut: () => void },
): Promise<CommandEnd> {
  const left = new Promise<"left">((resolve) => {
    if (signal.aborted) resolve("left");
    signal.addEventListener("abort", () => resolve("left"), { once: true });
  });
  const first = await Promise.race([ended, left]);
  if (first !== "left") await Promise.all(outputs.map((output) => output.linger(signal)));
  else for (const output of outputs) output.stop();
  cut();
  return first === "left" ? { error: "the client has left" } : { code: first };
}

function endOf(child: StartedProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(exitOf(code, signal).code));
  });
}

function fromPipe(end: Fd): Socket {
  return new Socket({ fd: end.disown(), readable: true, writable: false });
}

/** Passes the client's input on. What comes after the program has closed its own is thrown away, so that it holds nothing up. */
function giveInput(input: Readable, end: Fd): () => void {
  const pipe = new Socket({ fd: end.disown(), readable: false, writable: true });
  pipe.on("error", () => pipe.destroy());
  pipe.once("close", () => {
    input.unpipe(pipe);
    input.resume();
  });
  input.pipe(pipe);
  return () => pipe.destroy();
}

async function followSizes(
  terminal: TerminalStream,
  first: Promise<IteratorResult<TerminalSize>>,
  sizes: AsyncIterator<TerminalSize>,
): Promise<void> {
  for (let next = await first; !next.done; next = await sizes.next()) terminal.resize(next.value);
}
