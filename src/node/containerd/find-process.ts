import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { startTicksOf } from "../runtime/process/identity.ts";

/** A containerd that was started with our configuration file, whoever's child it is now. */
export interface FoundProcess {
  readonly pid: number;
  /** With the pid it names one process for good. */
  readonly startTicks: string;
  /** What `CONFIG_VARIABLE` said when it was started. */
  readonly configHash: string | undefined;
}

/** The variable that says which configuration a containerd was started with. */
export const CONFIG_VARIABLE = "TWILL_CONTAINERD_CONFIG";

/** Looks among the processes themselves: a record on disk could be lost, stale, or not written yet when its writer was killed.
 *  Nodes of a lab have equal paths, so the mount namespace has to be ours. */
export function findContainerd(config: string): FoundProcess | undefined {
  const ours = mountNamespaceOf("self");
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !isContainerd(name, config) || mountNamespaceOf(name) !== ours) continue;
    const startTicks = startTicksOf(Number(name));
    if (startTicks === undefined) continue;
    return { pid: Number(name), startTicks, configHash: variableOf(name, CONFIG_VARIABLE) };
  }
  return undefined;
}

/** `argv` of such a process. */
export function argumentsFor(config: string): readonly string[] {
  return ["--config", config];
}

function isContainerd(pid: string, config: string): boolean {
  const [program, ...words] = read(`/proc/${pid}/cmdline`).split("\0");
  return (
    /(?:^|\/)containerd$/.test(program ?? "") && argumentsFor(config).every((word, i) => words[i] === word)
  );
}

function variableOf(pid: string, name: string): string | undefined {
  const found = read(`/proc/${pid}/environ`)
    .split("\0")
    .find((line) => line.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}

function mountNamespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // It ended meanwhile.
  }
}
