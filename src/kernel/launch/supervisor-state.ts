/** The file in which a supervisor says what it looks after: 64-bit numbers at fixed places, written one by one in an order that
 *  makes each state true when it can be read. It is as long as it will ever be before the supervisor starts, so that a full disk
 *  takes nothing away. */
export const STATE = { phase: 0, supervisor: 8, container: 16, time: 24, end: 40 } as const;
export const STATE_BYTES = 72;

export const RUNNING = 1;
export const ENDED = 2;

/** Offsets in the kernel's `siginfo_t` of a child. */
const SI_CODE = 8;
const SI_STATUS = 24;
const CLD_EXITED = 1;

export type SupervisorState =
  /** Not there yet, or it never came to start anything. */
  | { readonly phase: "starting"; readonly supervisorPid: number | undefined }
  | { readonly phase: "running"; readonly supervisorPid: number; readonly containerPid: number }
  | {
      readonly phase: "ended";
      readonly supervisorPid: number;
      readonly containerPid: number;
      /** What it exited with, or 128 and the signal's number. */
      readonly code: number;
      readonly signal: number | undefined;
      readonly finishedAtMs: number;
    };

/** Reads the file's content; one that was cut short says "starting". */
export function decodeState(bytes: Buffer): SupervisorState {
  if (bytes.length < STATE_BYTES) return { phase: "starting", supervisorPid: undefined };
  const at = (offset: number) => Number(bytes.readBigUInt64LE(offset));
  const supervisorPid = at(STATE.supervisor);
  const phase = at(STATE.phase);
  if (phase !== RUNNING && phase !== ENDED)
    return { phase: "starting", supervisorPid: supervisorPid === 0 ? undefined : supervisorPid };
  const containerPid = at(STATE.container);
  if (phase === RUNNING) return { phase: "running", supervisorPid, containerPid };
  const status = bytes.readInt32LE(STATE.end + SI_STATUS);
  const isExit = bytes.readInt32LE(STATE.end + SI_CODE) === CLD_EXITED;
  return {
    phase: "ended",
    supervisorPid,
    containerPid,
    code: isExit ? status : 128 + status,
    signal: isExit ? undefined : status,
    finishedAtMs: at(STATE.time) * 1000 + at(STATE.time + 8) / 1e6,
  };
}
