import { FAMILY, type Family } from "#addr/family";
import { Fd } from "./fd.ts";
import * as libc from "./ffi/libc.ts";
import { inNetns, openNetns } from "./netns.ts";

const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;

/** A TCP socket of the network namespace mounted at `netns`. It stays there wherever it is used, so it connects as a process in
 *  that namespace would. @throws {SyscallFault} ENOENT when the namespace is gone */
export function openUnconnectedSocket(netns: string, family: Family): Fd {
  using inside = openNetns(netns);
  let fd: Fd | undefined;
  inNetns(inside, () => {
    const type = SOCK_STREAM | SOCK_NONBLOCK | libc.SOCK_CLOEXEC;
    fd = new Fd(libc.socket(FAMILY[family].af, type, 0), `of ${netns}`);
  });
  if (!fd) throw new Error("broken invariant: the guard did not run");
  return fd;
}
