/** Filters of sockets, declared and checked here like the calls of `libc.ts`. */
import koffi from "koffi";
import { SyscallFault } from "#fault/kernel-fault";

const libc = koffi.load("libc.so.6");
const program = koffi.struct({ length: "uint16_t", steps: "void *" });
const setsockopt = libc.func("setsockopt", "int", [
  "int",
  "int",
  "int",
  koffi.pointer(program),
  "unsigned int",
]);
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const STEP_BYTES = 8;

/** What arrives from now on passes `steps` (an array of struct sock_filter) first; a filter that stood is replaced.
 *  @see socket(7), SO_ATTACH_FILTER */
export function attachFilter(fd: number, steps: Uint8Array): void {
  const filter = { length: steps.length / STEP_BYTES, steps };
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, koffi.sizeof(program)) === 0) return;
  throw new SyscallFault("attach a filter to", `descriptor ${fd}`, koffi.errno());
}
