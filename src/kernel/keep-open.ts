import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import { Fd } from "./fd.ts";
import { memoryFile } from "./ffi/pipe-calls.ts";
import { openProcess } from "./ffi/terminal-calls.ts";
import type { Arch } from "./program/machine.ts";
import { SyscallProgram } from "./program/syscall-program.ts";

/** Numbers in the new process; 3 is what it holds. */
const PIDFD = 4;
const EXECUTABLE = 5;
const POLLIN = 1;
const SIGSET_BYTES = 8;

/** Starts a process of a few pages that does nothing but hold `fd` open for as long as process `pid` lives, or until it is killed
 *  itself. It does not end with this process. @throws {SyscallFault} ESRCH when `pid` is gone */
export function keepOpen(fd: number, pid: number): ChildProcess {
  using watched = new Fd(openProcess(pid), `process ${pid}`);
  const executable = memoryFile("twill");
  try {
    const bytes = program().build(process.arch as Arch);
    for (let at = 0; at < bytes.length; ) at += writeSync(executable, bytes, at);
    const child = spawn(`/proc/self/fd/${EXECUTABLE}`, [], {
      argv0: "twill-input",
      stdio: ["ignore", "ignore", "ignore", fd, watched.number, executable],
      detached: true,
      env: {},
      cwd: "/",
    });
    child.on("error", () => {}); // Told by the missing pid.
    child.unref();
    return child;
  } finally {
    closeSync(executable);
  }
}

/** Waits for the process behind `PIDFD` to end. */
function program(): SyscallProgram {
  const program = new SyscallProgram();
  const waiting = program.label();
  const poll = Buffer.alloc(8); // struct pollfd
  poll.writeInt32LE(PIDFD, 0);
  poll.writeInt16LE(POLLIN, 4);
  program.mark(waiting);
  program.call("ppoll", [program.bytes(poll), 1, 0, 0, SIGSET_BYTES], { onError: waiting });
  program.call("exit_group", [0]);
  program.mark(program.failure);
  return program;
}
