/** The machine's processes as /proc shows them. They end at any time: of one that has gone there is nothing to be read. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

export function listPids(): readonly number[] {
  return namesIn("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}

/** The program's name as it was called, then its arguments. */
export function wordsOf(pid: number): readonly string[] {
  return textOf(`/proc/${pid}/cmdline`).split("\0");
}

/** The name of the file that runs; empty where that may not be known. */
export function programOf(pid: number): string {
  return basename(linkOf(`/proc/${pid}/exe`) ?? "");
}

/** Which namespace a process is in, in words that are equal for equal ones. */
export function namespaceOf(pid: number | "self", kind: "mnt" | "net"): string | undefined {
  return linkOf(`/proc/${pid}/ns/${kind}`);
}

/** What a variable was when the process began. */
export function variableOf(pid: number, name: string): string | undefined {
  const variables = textOf(`/proc/${pid}/environ`).split("\0");
  return variables.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** @see field 4 of proc_pid_stat(5) */
export function parentOf(pid: number): number | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat === "" ? undefined : Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** Of any of its threads: containers are children of the one that started them. */
export function childrenOf(pid: number): readonly number[] {
  return namesIn(`/proc/${pid}/task`).flatMap((thread) =>
    textOf(`/proc/${pid}/task/${thread}/children`).split(" ").filter(Boolean).map(Number),
  );
}

/** The systemd service it is in. */
export function serviceOf(pid: number): string | undefined {
  return /\/([^/\n]+\.service)(?:\/|$)/m.exec(textOf(`/proc/${pid}/cgroup`))?.[1];
}

function namesIn(dir: string): readonly string[] {
  return orElse(() => readdirSync(dir), []);
}

function textOf(path: string): string {
  return orElse(() => readFileSync(path, "utf8"), "");
}

function linkOf(path: string): string | undefined {
  return orElse(() => readlinkSync(path), undefined);
}

function orElse<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
