import { listPids, namespaceOf, variableOf, wordsOf } from "../processes.ts";
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
  const ours = namespaceOf("self", "mnt");
  for (const pid of listPids()) {
    if (!isContainerd(pid, config) || namespaceOf(pid, "mnt") !== ours) continue;
    const startTicks = startTicksOf(pid);
    if (startTicks === undefined) continue;
    return { pid, startTicks, configHash: variableOf(pid, CONFIG_VARIABLE) };
  }
  return undefined;
}

/** `argv` of such a process. */
export function argumentsFor(config: string): readonly string[] {
  return ["--config", config];
}

function isContainerd(pid: number, config: string): boolean {
  const [program = "", ...words] = wordsOf(pid);
  return /(?:^|\/)containerd$/.test(program) && argumentsFor(config).every((word, i) => words[i] === word);
}
