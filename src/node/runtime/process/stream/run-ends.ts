import type { Fd } from "#kernel/fd";
import { copyTerminal, openFirstTerminal } from "#kernel/terminal";
import { openPipeEnds } from "../output.ts";
import { openInput } from "./input.ts";

/** What a container's program talks through. */
export interface Interaction {
  readonly stdin: boolean;
  /** Its input ends when the first client that attached leaves. */
  readonly stdinOnce: boolean;
  readonly tty: boolean;
}

export const NO_INTERACTION: Interaction = { stdin: false, stdinOnce: false, tty: false };

/** What is open while a container is being started; its own ends are to be closed afterwards. */
export interface RunEnds extends Disposable {
  /** Its 0, 1 and 2. */
  readonly stdio: readonly [number | undefined, number, number];
  /** What its supervisor keeps open for it. */
  readonly hold: readonly number[];
  /** With a terminal: the devpts it is of, to be mounted at `/dev/pts`. */
  readonly devpts: number | undefined;
  /** With a terminal: its master, for the pump to take. */
  readonly master: Fd | undefined;
  /** To be called as soon as there is a supervisor. */
  readonly keepFor: (supervisorPid: number) => void;
}

/** Opens the pipes or the terminal of a run whose folder stands. @throws {SyscallFault} EMFILE */
export function openRunEnds(folder: string, { stdin, stdinOnce, tty }: Interaction, uid: number): RunEnds {
  using opened = new DisposableStack();
  if (tty) {
    const terminal = opened.use(openFirstTerminal(uid));
    const { master, peer, devpts } = terminal;
    return {
      stdio: [peer.number, peer.number, peer.number],
      hold: [master.number],
      devpts: devpts.number,
      master: copyTerminal(master),
      keepFor: () => {},
      ...closing(opened.move()),
    };
  }
  const { outputs, hold } = opened.use(openPipeEnds(folder, uid));
  const input = stdin ? opened.use(openInput(folder, { isOnce: stdinOnce, uid })) : undefined;
  return {
    stdio: [input?.fd, ...outputs],
    hold: [...hold, ...(input?.hold ?? [])],
    devpts: undefined,
    master: undefined,
    keepFor: (supervisorPid) => input?.keepFor(supervisorPid),
    ...closing(opened.move()),
  };
}

function closing(opened: DisposableStack): Disposable {
  return { [Symbol.dispose]: () => opened.dispose() };
}
