import { SyscallProgram } from "../program/syscall-program.ts";
import { type Rights, takeRights } from "./rights.ts";
import { ENDED, RUNNING, STATE } from "./supervisor-state.ts";

export interface Limit {
  /** RLIMIT_NOFILE and so on. @see include/uapi/asm-generic/resource.h */
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}

/** What happens in the new process between its birth and its program. Descriptors are numbers it has from its birth on. */
export interface Launch {
  readonly becomes: Executable | "reaper";
  readonly rights: Rights;
  /** Open `cgroup.procs` files of the cgroups to be in. */
  readonly cgroups: readonly number[];
  /** Covers `/proc` with one of its own PID namespace. */
  readonly ownProc: boolean;
  /** Paths nothing can be read from, and those that cannot be written; all exist. */
  readonly masks: readonly Mask[];
  readonly readOnlyPaths: readonly string[];
  /** Descriptor 0 becomes the terminal that the session belongs to. */
  readonly isTerminal: boolean;
  readonly oomScoreAdj: number | undefined;
  readonly limits: readonly Limit[];
  /** All of its descriptors that the program is not to have. */
  readonly ownDescriptors: readonly number[];
  /** Where a failed step is told; it closes when the program runs. */
  readonly status: number | undefined;
  readonly supervision: Supervision | undefined;
}

export interface Executable {
  /** An absolute path in its root. */
  readonly path: string;
  /** The first is what the program is called by. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Mask {
  readonly path: string;
  readonly isFolder: boolean;
}

/** A process between the agent and the program, which outlives the agent. */
export interface Supervision {
  /** The open file that says what there is and how it ended; see `supervisor-state.ts`. */
  readonly state: number;
  /** Open `cgroup.procs` files for the supervisor itself. */
  readonly cgroups: readonly number[];
  /** The program's PID namespace: a new one, that of this process, or one behind a descriptor. */
  readonly pid: "new" | "same" | { readonly descriptor: number };
}

const AT_FDCWD = -100;
const O_WRONLY = 1;
const O_CLOEXEC = 0o2000000;
const CLONE_NEWPID = 0x20000000;
const SIGCHLD = 17;
const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
const SIGSET_BYTES = 8;
const SIGTERM_BIT = 1n << 14n;
const SIGCHLD_BIT = 1n << 16n;
const SIGKILL = 9;
const P_ALL = 0;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
const WALL = 0x40000000;
const CLOCK_REALTIME = 0;
const PR_SET_PDEATHSIG = 1;
const PR_SET_NAME = 15;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const CLOSE_RANGE_CLOEXEC = 4;
const TIOCSCTTY = 0x540e;
const MNT_DETACH = 2;
const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
const MS_REMOUNT = 32;
const MS_BIND = 4096;
const MS_REC = 16384;
const SUPERVISOR_OOM_SCORE = "-998";
/** Of a process whose program could not be executed; only seen when nobody reads `status`. */
const LAUNCH_FAILED = 127;

/** The program of one start: the supervisor's part, if there is one, and then that of the process it starts. */
export function launchProgram(launch: Launch): SyscallProgram {
  const program = new SyscallProgram();
  if (launch.supervision) supervise(program, launch.supervision, launch);
  becomeProgram(program, launch);
  program.mark(program.failure);
  if (launch.status !== undefined)
    program.call("write", [launch.status, program.failureRecord, 16], { onError: "next" });
  program.call("exit_group", [LAUNCH_FAILED]);
  return program;
}

function supervise(program: SyscallProgram, { state, cgroups, pid }: Supervision, { status }: Launch): void {
  const all = program.words([-1]);
  program.call("prctl", [PR_SET_NAME, program.text("twill-keeper"), 0, 0, 0]);
  program.call("rt_sigprocmask", [SIG_BLOCK, all, 0, SIGSET_BYTES]);
  const own = program.words([0]);
  program.call("getpid", [], { into: own });
  program.call("pwrite64", [state, own, 8, STATE.supervisor]);
  enter(program, cgroups);
  setOomScore(program, SUPERVISOR_OOM_SCORE);
  if (pid === "new") program.call("unshare", [CLONE_NEWPID]);
  else if (pid !== "same") program.call("setns", [pid.descriptor, CLONE_NEWPID]);
  const child = program.label();
  const childPid = program.words([0]);
  program.call("clone", [SIGCHLD, 0, 0, 0, 0], { into: childPid, onZero: child });
  program.call("pwrite64", [state, childPid, 8, STATE.container]);
  program.call("pwrite64", [state, program.words([RUNNING]), 8, STATE.phase]);
  for (const fd of [0, 1, 2, ...(status === undefined ? [] : [status])])
    program.call("close", [fd], { onError: "next" });
  reportEnd(program, state);
  program.mark(child);
  program.call("setsid", []);
}

/** Waits, writes down how it ended, and keeps what it holds open until SIGTERM says that all was read. Until then the ended
 *  process stays a zombie, so that its number names it and nothing else. */
function reportEnd(program: SyscallProgram, state: number): void {
  const end = program.bytes(Buffer.alloc(128));
  const time = program.words([0, 0]);
  const waiting = program.label();
  const dismissed = program.label();
  program.mark(waiting);
  program.call("waitid", [P_ALL, 0, end, WEXITED | WNOWAIT | WALL, 0], { onError: waiting });
  program.call("clock_gettime", [CLOCK_REALTIME, time]);
  program.call("pwrite64", [state, end, 32, STATE.end], { onError: "next" });
  program.call("pwrite64", [state, time, 16, STATE.time], { onError: "next" });
  program.call("pwrite64", [state, program.words([ENDED]), 8, STATE.phase], { onError: "next" });
  program.call("fdatasync", [state], { onError: "next", onZero: dismissed });
  program.mark(dismissed);
  const release = program.words([SIGTERM_BIT]);
  program.call("rt_sigtimedwait", [release, 0, 0, SIGSET_BYTES], { onError: dismissed });
  program.call("waitid", [P_ALL, 0, end, WEXITED | WALL, 0], { onError: "next" });
  program.call("exit_group", [0]);
}

function becomeProgram(program: SyscallProgram, launch: Launch): void {
  enter(program, launch.cgroups);
  if (launch.isTerminal) program.call("ioctl", [0, TIOCSCTTY, 0]);
  if (launch.ownProc) mountProc(program);
  for (const mask of launch.masks) cover(program, mask);
  for (const path of launch.readOnlyPaths) forbidWrites(program, path);
  if (launch.oomScoreAdj !== undefined) setOomScore(program, String(launch.oomScoreAdj));
  program.call("umask", [0o022]);
  for (const { resource, soft, hard } of launch.limits)
    program.call("prlimit64", [0, resource, program.words([soft, hard]), 0], { onError: "next" });
  takeRights(program, launch.rights);
  if (launch.supervision) program.call("prctl", [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]); // last: a change of user forgets it
  if (launch.becomes === "reaper") reap(program, launch);
  else execute(program, launch.becomes, launch);
}

function execute(program: SyscallProgram, { path, argv, env }: Executable, { ownDescriptors }: Launch): void {
  program.call("rt_sigprocmask", [SIG_SETMASK, program.words([0]), 0, SIGSET_BYTES]);
  for (const fd of ownDescriptors) program.call("fcntl", [fd, F_SETFD, FD_CLOEXEC], { onError: "next" });
  program.call("close_range", [3, 0xffffffff, CLOSE_RANGE_CLOEXEC], { onError: "next" }); // Linux 5.11
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  program.call("execve", [program.text(path), program.texts(argv), program.texts(variables)]);
}

/** Process 1 of a namespace that several containers share: takes in those whose parents have ended, until it is killed. */
function reap(program: SyscallProgram, { ownDescriptors }: Launch): void {
  program.call("prctl", [PR_SET_NAME, program.text("pause"), 0, 0, 0]);
  for (const fd of ownDescriptors) program.call("close", [fd], { onError: "next" });
  const [any, none] = [program.label(), program.label()];
  program.mark(any);
  program.call("waitid", [P_ALL, 0, 0, WEXITED | WALL, 0], { onError: none, onZero: any });
  program.mark(none);
  const child = program.words([SIGCHLD_BIT]);
  program.call("rt_sigtimedwait", [child, 0, 0, SIGSET_BYTES], { onError: any });
  program.call("waitid", [P_ALL, 0, 0, WEXITED | WALL, 0], { onError: none, onZero: any });
}

/** In the new PID namespace this shows only what is in it. What an agent laid over the root before is gone with it. */
function mountProc(program: SyscallProgram): void {
  const [type, path] = [program.text("proc"), program.text("/proc")];
  program.call("umount2", [path, MNT_DETACH], { onError: "next" });
  program.call("mount", [type, path, type, MS_NOSUID | MS_NODEV | MS_NOEXEC, 0]);
}

function cover(program: SyscallProgram, { path, isFolder }: Mask): void {
  const target = program.text(path);
  const tmpfs = program.text("tmpfs");
  if (isFolder) program.call("mount", [tmpfs, target, tmpfs, MS_RDONLY, program.text("size=0k")]);
  else program.call("mount", [program.text("/dev/null"), target, 0, MS_BIND, 0]);
}

function forbidWrites(program: SyscallProgram, path: string): void {
  const target = program.text(path);
  const kept = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  program.call("mount", [target, target, 0, MS_BIND | MS_REC, 0]);
  program.call("mount", [0, target, 0, MS_REMOUNT | MS_BIND | MS_RDONLY | kept, 0]);
}

function enter(program: SyscallProgram, cgroups: readonly number[]): void {
  for (const fd of cgroups) program.call("write", [fd, program.text("0"), 1]);
}

/** Lower than it is only with CAP_SYS_RESOURCE, so this may be refused. */
function setOomScore(program: SyscallProgram, score: string): void {
  const opened = program.result();
  const refused = program.label();
  const path = program.text("/proc/self/oom_score_adj");
  program.call("openat", [AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0], { into: opened, onError: refused });
  program.call("write", [opened, program.text(score), score.length], { onError: "next" });
  program.mark(refused);
}
