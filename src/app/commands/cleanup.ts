import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { explain } from "#fault/fault";
import { openKernel } from "#kernel/open";
import { systemClock } from "#life/clock";
import { findRunningAgents, type RunningAgent } from "#node/cleanup/running-agents";
import { startTicksOf } from "#node/runtime/process/identity";
import { printable } from "#telemetry/printable";
import { type CleanupOutcome, cleanUp } from "../cleanup.ts";
import type { Command, CommandContext } from "./command.ts";
import { takeOwnFlags } from "./own-flags.ts";

const BAD_USAGE = 2;
const DEFAULT_DATA_DIR = "/var/lib/rancher/k3s";
const STOP_ROUNDS = 100;
const STOP_ROUND_MS = 100;

export const cleanup: Command = {
  summary: "take away what K3s or Twill left on this machine: pods, network, rules",
  help: `Usage: twill cleanup [--dry-run] [--rules] [--force] [--data-dir DIR] [-o json]

Does what k3s-killall.sh does, and touches nothing else: ends pods that were left running and takes their mounts away; deletes
network namespaces cni-*, the bridge cni0 with its ports, the tunnels, their routes and Twill's own nftables tables; takes
chains KUBE-*, CNI-* and FLANNEL* out of iptables, in both families, in nftables and in the legacy tables, with the rules that
lead to them; removes /var/lib/cni and /run/flannel. Your own rules stay as they are. Data and certificates stay.

  --dry-run        only say what would go
  --rules          only the rules of iptables; a Twill agent may run meanwhile
  --force          end the agent that runs here first (its systemd service is stopped)
  --data-dir DIR   of K3s and Twill (default: ${DEFAULT_DATA_DIR}; environment: K3S_DATA_DIR)
  -o json          what went, as JSON
`,
  async run(argv, context) {
    const reading = readFlags(argv, context.env);
    if (reading.problems.length > 0) {
      context.writeError(`Cannot clean up:\n${reading.problems.map((problem) => `  ${problem}\n`).join("")}`);
      return BAD_USAGE;
    }
    if (process.getuid?.() !== 0) {
      context.writeError("Cannot clean up: devices, mounts and rules are root's; run it with sudo\n");
      return 1;
    }
    return (await mayGoOn(reading, context)) ? await run(reading, context) : 1;
  },
};

interface Flags {
  readonly isDry: boolean;
  readonly onlyRules: boolean;
  readonly force: boolean;
  readonly json: boolean;
  readonly dataDir: string;
  readonly problems: readonly string[];
}

function readFlags(argv: readonly string[], env: CommandContext["env"]): Flags {
  const long = argv.map((word) => (word === "-o" ? "--output" : word.replace(/^-o=?(?=json$)/, "--output=")));
  const { values, rest, problems } = takeOwnFlags(
    long,
    ["output", "data-dir"],
    ["dry-run", "rules", "force"],
  );
  const output = values.get("output");
  return {
    isDry: values.has("dry-run"),
    onlyRules: values.has("rules"),
    force: values.has("force"),
    json: output === "json",
    dataDir: values.get("data-dir") ?? env["K3S_DATA_DIR"] ?? DEFAULT_DATA_DIR,
    problems: [
      ...problems,
      ...rest.map((word) => `unknown: ${JSON.stringify(word)}`),
      ...(output === undefined || output === "json" ? [] : [`-o ${output}: expected json`]),
    ],
  };
}

/** An agent that runs would make all of it again, and its pods would lose their network. */
async function mayGoOn(flags: Flags, context: CommandContext): Promise<boolean> {
  if (flags.isDry) return true;
  const inTheWay = findRunningAgents().filter(({ name }) => !(flags.onlyRules && name.startsWith("twill ")));
  if (inTheWay.length === 0) return true;
  if (!flags.force) {
    context.writeError(`Cannot clean up while a node's agent runs here:\n${inTheWay.map(told).join("")}`);
    context.writeError("Stop it first, or let --force do so.\n");
    return false;
  }
  for (const agent of inTheWay) await stop(agent, context);
  const left = findRunningAgents().filter(({ pid }) => inTheWay.some((agent) => agent.pid === pid));
  if (left.length > 0) context.writeError(`Cannot clean up: still running:\n${left.map(told).join("")}`);
  return left.length === 0;
}

function told({ name, pid, unit }: RunningAgent): string {
  return `  ${name}, pid ${pid}${unit === undefined ? "" : ` (systemctl stop ${unit})`}\n`;
}

/** A service is stopped by systemd, which would start it again otherwise. */
async function stop({ pid, unit }: RunningAgent, context: CommandContext): Promise<void> {
  if (unit !== undefined && (await isMainOf(unit, pid, context))) {
    try {
      await promisify(execFile)("systemctl", ["stop", "--", unit], { signal: context.signal });
    } catch (error) {
      context.writeError(`systemctl could not stop ${unit}: ${explain(error)}\n`);
    }
  }
  const startTicks = startTicksOf(pid);
  const isThere = () => startTicks !== undefined && startTicksOf(pid) === startTicks;
  for (const name of ["SIGTERM", "SIGKILL"] as const) {
    if (isThere()) signalTo(pid, name);
    for (let round = 0; round < STOP_ROUNDS && isThere(); round++)
      await systemClock.sleep(STOP_ROUND_MS, { signal: context.signal });
  }
}

/** A process that its shell has left behind is still in the shell's service, which is not to be stopped. */
async function isMainOf(unit: string, pid: number, { signal }: CommandContext): Promise<boolean> {
  try {
    const words = ["show", "--property=MainPID", "--value", "--", unit];
    const { stdout } = await promisify(execFile)("systemctl", words, { signal });
    return stdout.trim() === String(pid);
  } catch {
    signal.throwIfAborted();
    return false; // No systemd runs here.
  }
}

function signalTo(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended meanwhile.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function run(flags: Flags, context: CommandContext): Promise<number> {
  using kernel = openKernel();
  const outcomes = await cleanUp({
    kernel,
    dataDir: flags.dataDir,
    onlyRules: flags.onlyRules,
    isDry: flags.isDry,
    clock: systemClock,
    signal: context.signal,
    tell: (outcome) => {
      if (!flags.json) context.write(lineOf(outcome));
    },
  });
  if (flags.json) context.write(`${JSON.stringify({ items: outcomes }, undefined, 2)}\n`);
  else if (outcomes.length === 0) context.write("Nothing is left here.\n");
  return outcomes.some(({ result }) => result === "failed") ? 1 : 0;
}

function lineOf({ what, result, error }: CleanupOutcome): string {
  const name = printable(what);
  if (result === "failed") return `Could not remove ${name}: ${printable(error ?? "")}\n`;
  return `${result === "removed" ? "Removed" : "Would remove"} ${name}\n`;
}
