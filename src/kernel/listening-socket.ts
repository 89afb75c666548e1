import { FAMILY } from "#addr/family";
import { familyOf, type Ip, ipToBytes } from "#addr/ip";
import { Fault } from "#fault/fault";
import { Fd } from "./fd.ts";
import * as libc from "./ffi/libc.ts";

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

/** struct sockaddr_in or sockaddr_in6: family in host order, port in network order. @see ip(7), ipv6(7) */
function socketAddress(ip: Ip, port: number): Uint8Array {
  const { af } = FAMILY[familyOf(ip)];
  const isV6 = af === FAMILY[6].af;
  const bytes = Buffer.alloc(isV6 ? 28 : 16);
  bytes.writeUInt16LE(af, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(ip), isV6 ? 8 : 4);
  return bytes;
}
