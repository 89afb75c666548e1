/** `twill bench pods`: what a pod costs. Its network by CNI, its start in both runtimes, and the agent's memory with a hundred. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CniFigures } from "./pods-cni.ts";
import { formatMs, formatSample, ratio } from "./pods-report.ts";
import { benchPodStart } from "./pods-start.ts";

const CNI = fileURLToPath(new URL("./pods-cni.ts", import.meta.url));

/** Prints p50 and p99, beside named peers in the same run, with ratios. Needs root; leaves nothing behind. */
export async function benchPods(): Promise<void> {
  reportCni(measureCni());
  await benchPodStart();
}

/** In a network and a mount namespace that go with the process, and with them all that was attached. */
function measureCni(): readonly CniFigures[] {
  const dir = mkdtempSync(join(tmpdir(), "twill-bench-pods-"));
  try {
    const script = `ip link set lo up && mount -t tmpfs none /run && exec "$0" "$@"`;
    const words = ["--net", "--mount", "sh", "-c", script, process.execPath, CNI, dir];
    const ran = spawnSync("unshare", words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
    if (ran.status !== 0) throw new Error(`the CNI part ended with ${ran.status ?? ran.signal}`);
    return JSON.parse(ran.stdout) as readonly CniFigures[];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function reportCni(figures: readonly CniFigures[]): void {
  const say = (text: string) => process.stdout.write(`pods  ${text}\n`);
  const verbs = [
    ["ADD", "add"],
    ["DEL", "remove"],
  ] as const;
  for (const [verb, key] of verbs) {
    for (const { name, alone } of figures)
      say(`CNI ${verb} alone       ${name.padEnd(30)} ${formatSample(alone[key])}`);
    for (const { name, together } of figures)
      say(
        `CNI ${verb} 100 at once ${name.padEnd(30)} ${formatSample(together[key])}  all ${formatMs(together[`${key}Ms`])}`,
      );
  }
  const peer = figures[2];
  if (!peer) say("no /usr/lib/cni/bridge: install containernetworking-plugins to compare");
  if (!peer) return;
  for (const ours of figures.slice(0, 2))
    for (const [verb, key] of verbs) {
      const all = peer.together[`${key}Ms`] / ours.together[`${key}Ms`];
      say(
        `CNI ${verb}: ${peer.name} takes ${ratio(peer.alone[key], ours.alone[key])} as long as ${ours.name} alone, ${all.toFixed(1)}x for 100 at once`,
      );
    }
}

if (import.meta.main) await benchPods();
