/** What an idle three-node cluster with the demo costs: memory and processor of each process, read from /proc. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { LAB_ROOTS } from "#lab/layout";
import { processesIn } from "#lab/processes";

const launcher = fileURLToPath(new URL("../twill", import.meta.url));
const NAME = "bench-idle";
const SETTLE_MS = 20_000;
const WINDOW_MS = 20_000;
const TICKS_PER_SECOND = 100;

export async function benchIdle(): Promise<void> {
  run("down", "--name", NAME);
  run("up", "--name", NAME, "--nodes", "3");
  try {
    await wait(SETTLE_MS);
    const pids = processesIn(`${LAB_ROOTS.state}/${NAME}`);
    const before = new Map(pids.map((pid) => [pid, ticksOf(pid)]));
    await wait(WINDOW_MS);
    process.stdout.write("idle: RSS, private memory, processor (of one core)\n");
    for (const pid of pids) {
      const share = (100 * (ticksOf(pid) - (before.get(pid) ?? 0))) / TICKS_PER_SECOND / (WINDOW_MS / 1000);
      const { rssMib, privateMib } = memoryOf(pid);
      process.stdout.write(
        `  ${nameOf(pid).padEnd(28)}${rssMib.toFixed(0).padStart(5)} MiB ${privateMib.toFixed(0).padStart(5)} MiB ${share.toFixed(1).padStart(6)} %\n`,
      );
    }
  } finally {
    run("down", "--name", NAME);
  }
}

function nameOf(pid: number): string {
  const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  const at = words.findIndex((word) => /twill\.ts$|\.mjs$/.test(word));
  return `${words[at]?.split("/").at(-1) ?? words[0]} ${words[at + 1] ?? ""}`;
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function memoryOf(pid: number): { rssMib: number; privateMib: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  return { rssMib: kib("Rss") / 1024, privateMib: (kib("Private_Clean") + kib("Private_Dirty")) / 1024 };
}

function run(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(launcher, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`twill ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
}
