import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";

export interface LoggedRun {
  readonly id: string;
  readonly name: string;
  readonly logPath: string;
}

/** The name by which log shippers know a container's log: `web-1_default_main-0123….log`. A longer one than a file may have
 *  loses its end, as with a kubelet. @see logSymlink in pkg/kubelet/kuberuntime/legacy.go */
export function linkName({ podName, podNamespace, run }: LinkedRun): string {
  const extension = ".log";
  const name = `${podName}_${podNamespace}_${run.name}-${run.id}`;
  return name.slice(0, 255 - extension.length) + extension;
}

export interface LinkedRun {
  readonly podName: string;
  readonly podNamespace: string;
  readonly run: LoggedRun;
}

/** Makes the folder hold a link to the log of each of these runs and no link that leads nowhere; other files stay. */
export function keepLinks(folder: string, runs: readonly LinkedRun[]): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const linked of runs) linkLog(folder, linked);
  for (const name of readdirSync(folder)) {
    const link = join(folder, name);
    if (name.endsWith(".log") && isLink(link) && !leadsSomewhere(link)) rmSync(link, { force: true });
  }
}

/** A standing link with the same target is left, as shippers watch the folder. */
export function linkLog(folder: string, linked: LinkedRun): void {
  const link = join(folder, linkName(linked));
  const { logPath } = linked.run;
  if (targetOf(link) === logPath) return;
  rmSync(link, { force: true });
  symlinkSync(logPath, link);
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

function leadsSomewhere(link: string): boolean {
  return statSync(link, { throwIfNoEntry: false }) !== undefined;
}
