import { fchownSync, readdirSync, readlinkSync } from "node:fs";
import { Fd } from "./fd.ts";
import { O_CLOEXEC, O_RDWR, open } from "./ffi/libc.ts";
import { copyFrom, dontWaitOn, duplicate, openDevpts, openTerminalPeer } from "./ffi/terminal-calls.ts";

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Both sides of a terminal: the program has `peer` as its 0, 1 and 2, whoever shows it to a person has `master`. */
export interface Terminal extends Disposable {
  readonly master: Fd;
  readonly peer: Fd;
}

/** A new terminal of the devpts that the process sees at `/dev/pts`, so that it has a name there; owned by `uid`, as login gives
 *  it. @throws {SyscallFault} ENOENT, ESRCH when the process is gone */
export function openTerminalFor(pid: number, uid = 0): Terminal {
  return openTerminal(`/proc/${pid}/root/dev/pts/ptmx`, uid);
}

/** The first terminal of a container that is still to be started, and the devpts to mount there. */
export interface FirstTerminal extends Terminal {
  /** Mounted nowhere yet. */
  readonly devpts: Fd;
}

export function openFirstTerminal(uid: number): FirstTerminal {
  const devpts = new Fd(openDevpts(), "devpts");
  try {
    const { master, peer } = openTerminal(`/proc/self/fd/${devpts.number}/ptmx`, uid);
    return {
      devpts,
      master,
      peer,
      [Symbol.dispose]() {
        for (const fd of [devpts, master, peer]) fd[Symbol.dispose]();
      },
    };
  } catch (error) {
    devpts[Symbol.dispose]();
    throw error;
  }
}

/** Another descriptor of the same terminal. */
export function copyTerminal(master: Fd): Fd {
  return new Fd(duplicate(master.number), "terminal");
}

/** The master that another process has open, as the keeper of a container's terminal; undefined when it has none, or is gone. */
export function masterHeldBy(pid: number): Fd | undefined {
  const folder = `/proc/${pid}/fd`;
  try {
    const held = readdirSync(folder).find((fd) => readlinkSync(`${folder}/${fd}`).endsWith("/ptmx"));
    return held === undefined ? undefined : new Fd(copyFrom(pid, Number(held)), "terminal");
  } catch {
    return undefined;
  }
}

/** A new terminal of the devpts that `ptmx` belongs to. */
export function openTerminal(ptmx: string, uid = 0): Terminal {
  const master = new Fd(open(ptmx, O_RDWR | O_NOCTTY | O_CLOEXEC), "terminal");
  try {
    dontWaitOn(master.number);
    const peer = new Fd(openTerminalPeer(master.number), "terminal's peer");
    if (uid !== 0) fchownSync(peer.number, uid, TTY_GROUP);
    return {
      master,
      peer,
      [Symbol.dispose]() {
        master[Symbol.dispose]();
        peer[Symbol.dispose]();
      },
    };
  } catch (error) {
    master[Symbol.dispose]();
    throw error;
  }
}

const O_NOCTTY = 0o400;
/** Who may write messages to it; the same number in every distribution. */
const TTY_GROUP = 5;
