import { FAMILY } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import { Fault } from "#fault/fault";
import { Fd } from "./fd.ts";
import * as libc from "./ffi/libc.ts";
import { socketAddress } from "./socket-address.ts";

const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const BACKLOG = 511;

/** A TCP socket listening in the namespace this thread is in now. It keeps that namespace wherever the descriptor goes, so a
 *  process in another one can answer here. @throws {Fault} EADDRINUSE, with the port */
export function openListeningSocket(ip: Ip, port: number): Fd {
  const { af } = FAMILY[familyOf(ip)];
  const fd = new Fd(libc.socket(af, SOCK_STREAM | libc.SOCK_CLOEXEC, 0), `listening on ${ip} port ${port}`);
  try {
    libc.setsockopt(fd.number, SOL_SOCKET, SO_REUSEADDR, Uint8Array.of(1, 0, 0, 0));
    libc.bind(fd.number, socketAddress(ip, port));
    libc.listen(fd.number, BACKLOG);
    return fd;
  } catch (cause) {
    fd[Symbol.dispose]();
    const code = cause instanceof Fault ? cause.code : "EIO";
    const why = code === "EADDRINUSE" ? "another program has it" : code;
    throw new Fault(code, `Cannot listen on ${ip} port ${port}: ${why}`, { cause });
  }
}
