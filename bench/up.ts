/** Time from the command to three nodes, DNS, and every demo pod having answered: packages installed, nothing running. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const launcher = fileURLToPath(new URL("../twill", import.meta.url));
const ROUNDS = 5;
const NAME = "bench-up";

export async function benchUp(): Promise<void> {
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    run("down", "--name", NAME);
    const began = performance.now();
    const output = run("up", "--name", NAME, "--nodes", "3", "--demo");
    seconds.push((performance.now() - began) / 1000);
    if (round === 0) process.stdout.write(`${stepsOf(output)}\n`);
    run("down", "--name", NAME);
  }
  seconds.sort((a, b) => a - b);
  const median = seconds[Math.floor(seconds.length / 2)] ?? 0;
  const range = `${seconds[0]?.toFixed(2)} to ${seconds.at(-1)?.toFixed(2)} s`;
  process.stdout.write(
    `up: three nodes, DNS and the demo answered in ${median.toFixed(2)} s (median of ${ROUNDS}; ${range}); aim: 5 s\n`,
  );
}

function stepsOf(output: string): string {
  return output
    .split("\n")
    .filter((line) => /^\s+[\d.]+s {2}/.test(line))
    .join("\n");
}

function run(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(launcher, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`twill ${args.join(" ")} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}
