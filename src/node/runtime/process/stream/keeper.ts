import { spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startTicksOf } from "../identity.ts";

const FILE = "stdin-keeper.json";

interface Keeper {
  readonly pid: number;
  readonly startTicks: string;
}

/** Starts a process that does nothing but hold `fd` open, whoever ends, until `endKeeper`. */
export function startKeeper(folder: string, fd: number): void {
  const child = spawn("sleep", ["infinity"], {
    stdio: ["ignore", "ignore", "ignore", fd],
    detached: true,
    cwd: "/",
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin" },
  });
  child.on("error", () => {}); // Then the input is at its end from the start.
  child.unref();
  const startTicks = child.pid === undefined ? undefined : startTicksOf(child.pid);
  if (child.pid === undefined || startTicks === undefined) return;
  const keeper: Keeper = { pid: child.pid, startTicks };
  writeFileSync(join(folder, FILE), JSON.stringify(keeper), { mode: 0o600 });
}

/** Absent is success. */
export function endKeeper(folder: string): void {
  const keeper = readKeeper(folder);
  if (!keeper) return;
  if (startTicksOf(keeper.pid) === keeper.startTicks) process.kill(keeper.pid, "SIGKILL");
  rmSync(join(folder, FILE), { force: true });
}

function readKeeper(folder: string): Keeper | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, FILE), "utf8")) as Keeper;
  } catch {
    return undefined;
  }
}
