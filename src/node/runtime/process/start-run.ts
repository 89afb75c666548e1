import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Limit } from "#kernel/launch/launch-program";
import { type NamespaceChoice, type StartedProcess, superviseInSandbox } from "#kernel/sandbox";
import type { ContainerConfig } from "../runtime.ts";
import { mainCommand } from "./carried-images.ts";
import type { ProcessContainer } from "./container.ts";
import { type ContainerCgroups, supervisorCgroup } from "./container-cgroup.ts";
import { makePipes } from "./output.ts";
import { containerMounts } from "./root.ts";
import { hiddenPaths, rightsOf } from "./security.ts";
import type { SharedParts } from "./shared-parts.ts";
import { openRunEnds } from "./stream/run-ends.ts";
import { STATE_FILE, Supervisor } from "./supervisor.ts";

export interface StartingRun {
  readonly container: ProcessContainer;
  readonly config: ContainerConfig;
  readonly netns: string | undefined;
  readonly shared: SharedParts;
  readonly pid: NamespaceChoice;
}

export interface StartDeps {
  /** An empty folder on which each container's root is mounted, seen by nobody else. */
  readonly rootDir: string;
  readonly imagesDir: string;
  readonly usersDir: string;
  readonly cgroups: ContainerCgroups | undefined;
}

const UNLIMITED = 2n ** 64n - 1n;
/** As under containerd: many open files, and any number of processes but for the pod's cgroup. @see RLIMIT_NPROC, RLIMIT_NOFILE */
const LIMITS: readonly Limit[] = [
  { resource: 6, soft: UNLIMITED, hard: UNLIMITED },
  { resource: 7, soft: 1_048_576n, hard: 1_048_576n },
];

/** Starts the supervised process of a run that has been written down, and hands it to its container.
 *  @throws {Fault} "StartError", or the kernel's refusal */
export async function startRun(run: StartingRun, deps: StartDeps): Promise<void> {
  const { container, config } = run;
  const { path } = container;
  const { rights, cgroup } = container.record;
  prepareRunFolder(path);
  const entrances = cgroup === undefined ? [] : (deps.cgroups?.make(cgroup, config.resources) ?? []);
  const supervisors = cgroup === undefined ? [] : (deps.cgroups?.make(supervisorCgroup(cgroup), {}) ?? []);
  using ends = openRunEnds(path, container.record.interaction, rights.uid);
  container.openPump(ends.master);
  const supervisor = await Supervisor.start(join(path, STATE_FILE), (state) =>
    superviseRun(run, deps, {
      state,
      stdio: ends.stdio,
      hold: ends.hold,
      devpts: ends.devpts,
      entrances,
      supervisors,
    }),
  );
  ends.keepFor(supervisor.pid);
  container.follow(supervisor);
}

interface Files {
  readonly state: number;
  readonly stdio: readonly (number | undefined)[];
  readonly hold: readonly number[];
  readonly devpts: number | undefined;
  readonly entrances: readonly string[];
  readonly supervisors: readonly string[];
}

function superviseRun(
  { container, config, netns, shared, pid }: StartingRun,
  { rootDir, imagesDir, usersDir }: StartDeps,
  { state, stdio, hold, devpts, entrances, supervisors }: Files,
): Promise<StartedProcess> {
  const [command = "", ...args] = mainCommand(config.image, config.command, config.args);
  const { env, workingDir, rights } = container.record;
  const { security } = config;
  return superviseInSandbox({
    netns,
    root: rootDir,
    mounts: containerMounts({
      imagesDir,
      usersDir,
      terminationLog: {
        host: join(container.path, "termination-log"),
        inside: config.terminationMessage.path,
      },
      shm: config.ipc === "pod" ? shared.shm : undefined,
      isPrivileged: security.isPrivileged,
      devpts,
      binds: config.binds,
    }),
    readOnlyRoot: security.isReadOnlyRoot,
    pid,
    ipc: shared.ipc === undefined ? "same" : { path: shared.ipc },
    uts: shared.uts === undefined ? undefined : { path: shared.uts },
    ...hiddenPaths(security),
    command,
    args,
    env: config.tty ? { TERM: "xterm", ...env } : env,
    cwd: workingDir,
    stdio,
    isTerminal: config.tty,
    rights: rightsOf(rights),
    cgroups: entrances,
    oomScoreAdj: config.resources.oomScoreAdj ?? 0,
    limits: LIMITS,
    label: `${config.podNamespace}/${config.podName}/${config.name}`,
    state,
    hold,
    supervisorCgroups: supervisors,
  });
}

/** The folders and files of one run; a fresh message file that any user may write. */
function prepareRunFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, "termination-log"), "");
  chmodSync(join(folder, "termination-log"), 0o666);
  makePipes(folder);
}
