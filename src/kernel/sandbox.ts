import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { errnoText } from "#fault/errno";
import { Fault } from "#fault/fault";
import { awayFromHome, enterNamespace } from "./away-from-home.ts";
import { ChildFiles, readAll } from "./child-files.ts";
import * as libc from "./ffi/libc.ts";
import { memoryFile } from "./ffi/pipe-calls.ts";
import { findExecutable } from "./find-executable.ts";
import { type Launch, type Limit, launchProgram, type Mask } from "./launch/launch-program.ts";
import { ALL_RIGHTS, type Rights } from "./launch/rights.ts";
import type { Arch } from "./program/machine.ts";
import type { SyscallProgram } from "./program/syscall-program.ts";
import { buildRoot, type SandboxRoot } from "./sandbox-root.ts";

/** What is run, as whom, with what it has open. */
export interface ProgramSpec {
  /** A path, or a name that is looked for in the `PATH` of `env`. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Descriptors for 0, 1 and 2; `undefined` is /dev/null, `pipe` is a stream of the returned process. */
  readonly stdio: readonly (number | "pipe" | undefined)[];
  /** Undefined is root with everything. */
  readonly rights?: Rights | undefined;
  /** `cgroup.procs` files of the cgroups to be in from before the program's first instruction on. */
  readonly cgroups?: readonly string[];
  /** Descriptor 0 is the terminal its session belongs to. */
  readonly isTerminal?: boolean;
  readonly oomScoreAdj?: number | undefined;
  readonly limits?: readonly Limit[];
}

/** A namespace: one of its own, the one this process has, or the one kept at a path. */
export type NamespaceChoice = "new" | "same" | { readonly path: string };

export interface SandboxProcess extends SandboxRoot, ProgramSpec {
  /** Where the network namespace is mounted; undefined keeps the one of this thread. */
  readonly netns?: string | undefined;
  /** Set in a UTS namespace of its own; undefined keeps that of this thread. */
  readonly hostname?: string | undefined;
  /** A UTS namespace that has its host name already. */
  readonly uts?: { readonly path: string } | undefined;
  readonly readOnlyRoot?: boolean;
  /** With any but "same" `/proc` shows only what is in it; in a new one the program is process 1. */
  readonly pid: NamespaceChoice;
  /** Default "new". */
  readonly ipc?: NamespaceChoice;
  readonly masks?: readonly Mask[];
  readonly readOnlyPaths?: readonly string[];
}

export interface JoinedProcess extends ProgramSpec {
  /** A process whose namespaces and root are joined. */
  readonly pid: number;
}

/** A process started here: its pid is known, so it runs (or has already ended, which its `exit` event tells). */
export type StartedProcess = ChildProcess & { readonly pid: number };

export interface SupervisedSpec extends Omit<SandboxProcess, "stdio"> {
  readonly stdio: readonly (number | undefined)[];
  /** What the supervisor's command line says. */
  readonly label: string;
  /** An open file of `STATE_BYTES` bytes, locked: the lock is the supervisor's from now on. */
  readonly state: number;
  /** Descriptors it keeps open until it is dismissed. */
  readonly hold: readonly number[];
  readonly supervisorCgroups: readonly string[];
}

const JOINED = ["pid", "net", "ipc", "uts", "mnt"] as const; // mnt last: it takes /proc away

/** Starts a program in namespaces and a root of its own, in its own session: this thread steps into fresh namespaces, forks
 *  there, and is back in its own before this returns. The new process then takes its rights and becomes the program.
 *  @throws {Fault} "StartError" when the program cannot be executed; SyscallFault when the kernel refuses a step */
export function spawnInSandbox(spec: SandboxProcess): StartedProcess {
  using files = new ChildFiles(spec.stdio);
  const cgroups = files.openToWrite(spec.cgroups ?? []);
  const pidns = typeof spec.pid === "object" ? files.here(spec.pid.path) : undefined;
  return awayFromHome((nowhere) => {
    const path = enterSandbox(spec);
    if (spec.pid === "new") libc.unshare(libc.CLONE_NEWPID);
    if (pidns !== undefined) libc.setns(pidns, libc.CLONE_NEWPID);
    const program = launchProgram({ ...launchOf(spec, path, files), ...sandboxOf(spec), cgroups });
    return start({ spec, program, files, nowhere });
  });
}

/** The same with a supervisor between: a process of a few pages that waits for the program, writes down how it ended, and holds
 *  on to `hold` until SIGTERM. Both go on without this process.
 *  @returns the supervisor, once the program runs
 *  @throws as `spawnInSandbox` */
export async function superviseInSandbox(spec: SupervisedSpec): Promise<StartedProcess> {
  using files = new ChildFiles(spec.stdio);
  const state = files.add(spec.state);
  const status = files.add("pipe");
  for (const fd of spec.hold) files.add(fd);
  const cgroups = files.openToWrite(spec.cgroups ?? []);
  const own = files.openToWrite(spec.supervisorCgroups);
  const pid = typeof spec.pid === "object" ? { descriptor: files.open(spec.pid.path) } : spec.pid;
  const { child, program } = awayFromHome((nowhere) => {
    const path = enterSandbox(spec);
    const supervision = { state, cgroups: own, pid };
    const launch = { ...launchOf(spec, path, files), ...sandboxOf(spec), cgroups, status, supervision };
    const program = launchProgram(launch);
    const argv0 = `twill-keeper ${spec.label}`;
    return { child: start({ spec, program, files, nowhere, argv0 }), program };
  });
  await untilRuns(child, program, status, spec.command);
  return child;
}

/** Returns once the new process has become its program. @throws {Fault} "StartError" with the step that the kernel refused */
async function untilRuns(
  child: StartedProcess,
  program: SyscallProgram,
  status: number,
  command: string,
): Promise<void> {
  const failed = program.failedStep(await readAll(child, status));
  if (!failed) return;
  const { call, errno } = failed;
  throw new Fault("StartError", `exec: ${JSON.stringify(command)}: ${call}: ${errnoText(errno)}`, {
    detail: { command, call, errno },
  });
}

export interface ReaperSpec {
  /** As a `SupervisedSpec` has them. */
  readonly label: string;
  readonly state: number;
  readonly cgroups: readonly string[];
}

/** Starts a process that is 1 of a PID namespace for several containers, with a supervisor. @returns the supervisor, once it runs */
export async function superviseReaper({ label, state, cgroups }: ReaperSpec): Promise<StartedProcess> {
  using files = new ChildFiles([undefined, undefined, undefined]);
  const supervision = { state: files.add(state), cgroups: files.openToWrite(cgroups), pid: "new" as const };
  const status = files.add("pipe");
  const bare = { command: "pause", args: [], env: {}, cwd: "/", stdio: files.list };
  const program = launchProgram({ ...launchOf(bare, "", files), becomes: "reaper", status, supervision });
  const nowhere = openSync("/dev/null", "r+");
  try {
    const child = start({ spec: bare, program, files, nowhere, argv0: `twill-keeper ${label}` });
    await untilRuns(child, program, status, bare.command);
    return child;
  } finally {
    closeSync(nowhere);
  }
}

/** Starts a program in the namespaces and root of a running process, as `exec` needs it. @throws as `spawnInSandbox` */
export function spawnBeside(spec: JoinedProcess): StartedProcess {
  using files = new ChildFiles(spec.stdio);
  const cgroups = files.openToWrite(spec.cgroups ?? []);
  const joined = JOINED.map((kind) => files.here(`/proc/${spec.pid}/ns/${kind}`));
  return awayFromHome((nowhere) => {
    for (const fd of joined) libc.setns(fd, 0);
    const program = launchProgram({ ...launchOf(spec, findExecutable(spec), files), cgroups });
    return start({ spec, program, files, nowhere });
  });
}

/** Makes this thread's namespaces and root those of the sandbox. @returns the program's path there */
function enterSandbox(spec: SandboxProcess | SupervisedSpec): string {
  const { ipc = "new", uts, hostname } = spec;
  const hasOwnName = hostname !== undefined && uts === undefined;
  libc.unshare(
    libc.CLONE_NEWNS | (hasOwnName ? libc.CLONE_NEWUTS : 0) | (ipc === "new" ? libc.CLONE_NEWIPC : 0),
  );
  if (spec.netns !== undefined) enterNamespace(spec.netns);
  if (typeof ipc === "object") enterNamespace(ipc.path);
  if (uts) enterNamespace(uts.path);
  libc.mount(null, "/", null, libc.MS_REC | libc.MS_SLAVE);
  buildRoot(spec);
  if (hasOwnName) libc.sethostname(hostname);
  mkdirSync(spec.cwd, { recursive: true });
  if (spec.readOnlyRoot) libc.remountReadOnly("/");
  return findExecutable(spec);
}

function sandboxOf({
  pid,
  masks = [],
  readOnlyPaths = [],
}: SandboxProcess | SupervisedSpec): Partial<Launch> {
  return { ownProc: pid !== "same", masks, readOnlyPaths };
}

function launchOf(spec: ProgramSpec | SupervisedSpec, path: string, files: ChildFiles): Launch {
  return {
    becomes: { path, argv: [spec.command, ...spec.args], env: spec.env },
    rights: spec.rights ?? ALL_RIGHTS,
    cgroups: [],
    ownProc: false,
    masks: [],
    readOnlyPaths: [],
    isTerminal: spec.isTerminal ?? false,
    oomScoreAdj: spec.oomScoreAdj,
    limits: spec.limits ?? [],
    ownDescriptors: files.launcherOnly,
    status: undefined,
    supervision: undefined,
  };
}

interface Start {
  readonly spec: ProgramSpec | SupervisedSpec;
  readonly program: SyscallProgram;
  readonly files: ChildFiles;
  readonly nowhere: number;
  readonly argv0?: string;
}

function start({ spec, program, files, nowhere, argv0 = "twill-launch" }: Start): StartedProcess {
  const executable = memoryFile("twill");
  try {
    const bytes = program.build(archOf());
    for (let at = 0; at < bytes.length; ) at += writeSync(executable, bytes, at);
    // By a descriptor, as no path leads there from within the new root.
    const child = spawn(`/proc/self/fd/${files.count}`, [], {
      argv0,
      stdio: [...files.list.map((file) => file ?? nowhere), executable],
      detached: true,
      env: {},
      cwd: spec.cwd,
    });
    child.on("error", () => {}); // Told at once by the missing pid, below.
    if (isStarted(child)) return child;
    throw new Fault(
      "StartError",
      `Cannot start ${spec.command}: no process can be made, or ${spec.cwd} is no folder`,
      {
        detail: { command: spec.command, cwd: spec.cwd },
      },
    );
  } finally {
    closeSync(executable);
  }
}

function archOf(): Arch {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new Fault(
    "StartError",
    `Cannot start a container: there is no launcher for ${process.arch} processors`,
  );
}

function isStarted(child: ChildProcess): child is StartedProcess {
  return child.pid !== undefined;
}
