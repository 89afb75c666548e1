import { chmodSync, chownSync, closeSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnInSandbox } from "#kernel/sandbox";
import type { ContainerConfig } from "../runtime.ts";
import { requireImage } from "./carried-images.ts";
import type { ProcessContainer } from "./container.ts";
import { resolveCommand } from "./images/catalog.ts";
import { EXIT_FILE } from "./images/preamble.ts";
import { makePipes, OutputPump, openForContainer } from "./output.ts";
import type { PodFolder, RunRecord } from "./record.ts";
import { containerMounts, IMAGES_PATH, NODE_PATH } from "./root.ts";

export interface StartingRun {
  readonly container: ProcessContainer;
  readonly config: ContainerConfig;
  readonly record: RunRecord;
  readonly folder: PodFolder;
  readonly netns: string | undefined;
}

export interface StartDeps {
  /** An empty folder on which each container's root is mounted, seen by nobody else. */
  readonly rootDir: string;
  readonly imagesDir: string;
  readonly now: () => string;
}

/** Starts the process of a run that has been written down, and hands it to its container.
 *  @throws {Fault} "CommandNotFound", "StartError", or the kernel's refusal */
export function startRun({ container, config, record, folder, netns }: StartingRun, deps: StartDeps): void {
  const command = resolveCommand(requireImage(config.image), config.command, config.args);
  const path = folder.runPath(config.name, config.attempt);
  prepareRunFolder(path, config);
  const pump = new OutputPump(path, config.logPath);
  const [stdout, stderr] = openForContainer(path);
  try {
    const startedAt = deps.now();
    const child = spawnInSandbox({
      netns: netns,
      hostname: config.hostname,
      root: deps.rootDir,
      mounts: containerMounts({
        imagesDir: deps.imagesDir,
        runDir: { host: join(path, "run"), inside: runDirInside(record.run.id) },
        terminationLog: { host: join(path, "termination-log"), inside: config.terminationMessage.path },
        binds: config.binds,
      }),
      readOnlyRoot: config.security.isReadOnlyRoot,
      newPid: config.pid !== "node",
      command: NODE_PATH,
      args: [`${IMAGES_PATH}/${command.bundle}`, ...command.args],
      env: { ...record.env, [EXIT_FILE]: exitFile(record.run.id) },
      cwd: record.workingDir,
      stdio: [undefined, stdout, stderr],
      uid: config.security.uid,
      gid: config.security.gid,
    });
    container.own(child, pump, startedAt);
  } catch (error) {
    pump[Symbol.dispose]();
    throw error;
  } finally {
    closeSync(stdout);
    closeSync(stderr);
  }
}

/** The folders and files of one run; a fresh message file that any user may write. */
function prepareRunFolder(folder: string, config: ContainerConfig): void {
  const run = join(folder, "run");
  rmSync(run, { recursive: true, force: true });
  mkdirSync(run, { recursive: true, mode: 0o700 });
  if (config.security.uid !== undefined) chownSync(run, config.security.uid, config.security.gid ?? 0);
  writeFileSync(join(folder, "termination-log"), "");
  chmodSync(join(folder, "termination-log"), 0o666);
  makePipes(folder);
}

/** The id in the path makes the variable that names it one of a kind, so that a lost process can be found by it. */
function runDirInside(id: string): string {
  return `/.twill/run-${id.slice(0, 16)}`;
}

/** Where the program finds the file that it leaves its exit code in. */
export function exitFile(id: string): string {
  return `${runDirInside(id)}/exit.json`;
}
