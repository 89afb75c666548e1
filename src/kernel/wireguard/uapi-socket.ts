import { SyscallFault } from "#fault/kernel-fault";
import { WireError } from "#wire/wire-error";
import { isWholeAnswer } from "#wire/wireguard-uapi";
import { Fd } from "../fd.ts";
import { recv, SOCK_CLOEXEC, SOL_SOCKET, send, setsockopt, socket } from "../ffi/libc.ts";
import { connect } from "../ffi/probe-calls.ts";

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const MSG_NOSIGNAL = 0x4000;
const SO_RCVTIMEO = 20;
const SO_SNDTIMEO = 21;
/** struct sockaddr_un has room for 108 bytes, the closing NUL included. */
const LONGEST_PATH = 107;
/** How long the program at the other end may take: it answers from memory, so more means that it hangs. */
const PATIENCE_SECONDS = 3;
/** Some ten thousand peers. */
const LONGEST_ANSWER = 16 << 20;
const CHUNK_BYTES = 64 << 10;

/** A connection to the program that carries a WireGuard device, for as long as it lives: at its end the other side closes.
 *  Calls wait at most three seconds. */
export class UapiSocket implements Disposable {
  readonly #fd: Fd;
  readonly #path: string;

  /** @throws {SyscallFault} ENOENT: no socket is there; ECONNREFUSED: a program that has ended left it behind */
  constructor(path: string) {
    this.#path = path;
    this.#fd = new Fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), path);
    try {
      for (const option of [SO_RCVTIMEO, SO_SNDTIMEO])
        setsockopt(this.#fd.number, SOL_SOCKET, option, timeval(PATIENCE_SECONDS));
      this.#patiently("connect to", () => connect(this.#fd.number, unixAddress(path)));
    } catch (error) {
      this.#fd[Symbol.dispose]();
      throw error;
    }
  }

  /** Sends `request` and returns the whole answer, with its empty line. @throws {SyscallFault} ETIMEDOUT, EPIPE
   *  @throws {WireError} when the program ends in between */
  ask(request: string): string {
    let rest = Buffer.from(request);
    while (rest.length > 0)
      rest = rest.subarray(this.#patiently("send to", () => send(this.#fd.number, rest, MSG_NOSIGNAL)));
    const chunks: Buffer[] = [];
    let length = 0;
    for (;;) {
      const chunk = this.#receive();
      if (chunk.length === 0) throw new WireError("WireGuard answer", `${this.#path} closed`);
      chunks.push(chunk);
      length += chunk.length;
      if (length > LONGEST_ANSWER) throw new WireError("WireGuard answer", `${length} bytes are too many`);
      const ending = chunk.length > 1 ? chunk : Buffer.concat(chunks);
      if (isWholeAnswer(ending.subarray(-2).toString("latin1")))
        return Buffer.concat(chunks).toString("latin1");
    }
  }

  /** Returns once the program has ended. @throws {SyscallFault} ETIMEDOUT when it has not within three seconds */
  awaitEnd(): void {
    try {
      while (this.#receive().length > 0);
    } catch (error) {
      if (!(error instanceof SyscallFault && error.code === "ECONNRESET")) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }

  #receive(): Buffer {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    return chunk.subarray(
      0,
      this.#patiently("receive from", () => recv(this.#fd.number, chunk)),
    );
  }

  /** A signal that comes in between is no reason to give up; a socket with a timeout is never restarted by the kernel. */
  #patiently<T>(call: string, f: () => T): T {
    for (;;) {
      try {
        return f();
      } catch (error) {
        if (!(error instanceof SyscallFault)) throw error;
        if (error.code === "EINTR") continue;
        const errno = error.code === "EAGAIN" ? ETIMEDOUT : error.errno;
        throw new SyscallFault(call, this.#path, errno);
      }
    }
  }
}
const ETIMEDOUT = 110;

/** struct timeval: seconds and microseconds of 64 bits each. */
function timeval(seconds: number): Uint8Array {
  return new Uint8Array(BigInt64Array.of(BigInt(seconds), 0n).buffer);
}

/** struct sockaddr_un: family in host order, then the path with its NUL. @see unix(7) */
function unixAddress(path: string): Uint8Array {
  const name = Buffer.from(path);
  if (name.length > LONGEST_PATH)
    throw new Error(`broken invariant: ${path} is longer than a socket's path can be`);
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(AF_UNIX, 0);
  address.set(name, 2);
  return address;
}
