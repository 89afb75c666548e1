import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { keepOpen } from "#kernel/keep-open";
import { startTicksOf } from "../identity.ts";

const FILE = "input-keeper.json";

interface Keeper {
  readonly pid: number;
  readonly startTicks: string;
}

/** Starts a process that does nothing but hold `fd` open, until `endKeeper` or until the supervisor ends. */
export function startKeeper(folder: string, fd: number, supervisorPid: number): void {
  const { pid } = keepOpen(fd, supervisorPid);
  const startTicks = pid === undefined ? undefined : startTicksOf(pid);
  if (pid === undefined || startTicks === undefined) return; // Then the input is at its end already.
  const keeper: Keeper = { pid, startTicks };
  writeFileSync(join(folder, FILE), JSON.stringify(keeper), { mode: 0o600 });
}

/** Absent is success. */
export function endKeeper(folder: string): void {
  const keeper = readKeeper(folder);
  if (!keeper) return;
  try {
    if (startTicksOf(keeper.pid) === keeper.startTicks) process.kill(keeper.pid, "SIGKILL");
  } catch {
    // Ended meanwhile.
  }
  rmSync(join(folder, FILE), { force: true });
}

function readKeeper(folder: string): Keeper | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, FILE), "utf8")) as Keeper;
  } catch {
    return undefined;
  }
}
