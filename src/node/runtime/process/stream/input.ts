import { closeSync, constants, fchownSync, openSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { makeNamedPipe } from "#kernel/pipe";
import { endKeeper, startKeeper } from "./keeper.ts";

const PIPE = "stdin";

/** What a new container and its supervisor need of the pipe that its input comes from. */
export interface InputEnds extends Disposable {
  /** For the container: its 0. */
  readonly fd: number;
  /** For its supervisor: without a writer the input would be at its end. */
  readonly hold: readonly number[];
  /** To be called as soon as there is a supervisor. */
  readonly keepFor: (supervisorPid: number) => void;
}

/** Makes the pipe that a container with `stdin` reads from. With `stdinOnce` its writing end is held by a keeper instead, which can
 *  be ended when the first client leaves: a supervisor lets nothing go before its container has ended. */
export function openInput(folder: string, { isOnce, uid }: { isOnce: boolean; uid: number }): InputEnds {
  const path = join(folder, PIPE);
  makeNamedPipe(path);
  const opened: number[] = [];
  const open = (flags: number) => {
    const fd = openSync(path, flags);
    opened.push(fd);
    return fd;
  };
  const close = () => opened.splice(0).forEach(closeSync);
  try {
    open(constants.O_RDWR); // First: neither of the others then waits for its counterpart.
    const [fd, writing] = [open(constants.O_RDONLY), open(constants.O_WRONLY)];
    fchownSync(fd, uid, 0);
    return {
      fd,
      hold: isOnce ? [] : [writing],
      keepFor: (supervisorPid) => {
        if (isOnce) startKeeper(folder, writing, supervisorPid);
      },
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** Passes a client's input on to a container until it ends or is stopped; with `isOnce` that is then the end of the container's
 *  input too. What comes after the container has closed its own is thrown away, so that it holds nothing up.
 *  @returns the way to stop */
export function passInput(folder: string, isOnce: boolean, input: Readable): () => void {
  const pipe = openToWrite(join(folder, PIPE));
  if (!pipe) {
    input.resume();
    return () => {};
  }
  pipe.on("error", () => pipe.destroy());
  pipe.once("close", () => {
    if (isOnce) endKeeper(folder);
    input.unpipe(pipe);
    input.resume();
  });
  input.pipe(pipe);
  return () => void (input.readableEnded || pipe.destroy());
}

/** Undefined once the container reads no more. */
function openToWrite(path: string): Socket | undefined {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    return new Socket({ fd, readable: false, writable: true });
  } catch {
    return undefined;
  }
}
