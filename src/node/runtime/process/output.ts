import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { makeNamedPipe, resizePipe } from "#kernel/pipe";
import type { LogStream } from "../../logs/line.ts";
import { LogFile } from "../../logs/log-file.ts";

/** What waits for the next agent before the container has to; the most a process without privileges may ask for. */
const PIPE_BYTES = 1024 * 1024;
const STREAMS: readonly LogStream[] = ["stdout", "stderr"];

/** Makes the two pipes a container writes to. They have names so that another agent can go on reading them. */
export function makePipes(folder: string): void {
  for (const stream of STREAMS) makeNamedPipe(join(folder, stream));
}

/** Opens both ends of each pipe for the container: as it holds the reading end too, it never gets EPIPE and what it wrote
 *  waits in the pipe while no agent reads. @returns descriptors for 1 and 2, to close after the start */
export function openForContainer(folder: string): readonly [number, number] {
  const open = (stream: LogStream) => {
    const fd = openSync(join(folder, stream), "r+");
    resizePipe(fd, PIPE_BYTES);
    return fd;
  };
  return [open("stdout"), open("stderr")];
}

/** Copies what a container writes into its log file until it and all its children have ended, or until disposed. */
export class OutputPump implements Disposable {
  readonly #log: LogFile;
  readonly #sockets: readonly Socket[];
  /** Resolves once all was read to the end, or reading was stopped. */
  readonly drained: Promise<void>;

  constructor(folder: string, logPath: string) {
    this.#log = new LogFile(logPath);
    this.#sockets = STREAMS.map((stream) => this.#read(folder, stream));
    this.drained = Promise.all(this.#sockets.map(whenClosed)).then(() => this.#log[Symbol.dispose]());
  }

  #read(folder: string, stream: LogStream): Socket {
    const fd = openSync(join(folder, stream), constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const socket = new Socket({ fd, readable: true, writable: false });
      socket.on("data", (chunk: Buffer) => this.#log.append(stream, chunk));
      socket.on("error", () => socket.destroy());
      return socket;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function whenClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}
