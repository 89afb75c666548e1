/** A standing lab gets another backend, or leaves a component out, as a real cluster does: the server is started again with the
 *  new flags, then the agents that they concern, one after the other, each when the one before is ready. Pods go on meanwhile. */
import type { Clock } from "#life/clock";
import { flagValues, leavesOut } from "./launch.ts";
import type { LabLayout, LabNode } from "./layout.ts";
import { isNodeProcess, processesIn } from "./processes.ts";

/** What a server may be given anew while its cluster stands. */
const CHANGEABLE = [
  ...["flannel-backend", "flannel-conf", "disable", "disable-cloud-controller", "kubelet-arg"],
  ...["node-external-ip", "node-internal-dns", "node-external-dns"],
];
/** Of those, what agents need not be started again for. */
const OF_SERVERS = ["disable"];
/** A node that has not ended by then is ended the hard way, which pods do not see either. */
const END_MS = 10_000;
const POLL_MS = 20;

/** Whether flags differ in what can be changed while the cluster stands, and in nothing else. */
export function isChange(standing: readonly string[], asked: readonly string[]): boolean {
  const backends = [standing, asked].map((flags) => flagValues(flags, "flannel-backend").at(-1));
  return isSameBut(CHANGEABLE, standing, asked) && !backends.includes("none");
}

/** Whether flags that differ concern servers only. Agents that were started without ServiceLB refuse the sysctls of its pods. */
export function isServersAlone(standing: readonly string[], asked: readonly string[]): boolean {
  const isBack = leavesOut(standing, "servicelb") && !leavesOut(asked, "servicelb");
  return isSameBut(OF_SERVERS, standing, asked) && !isBack;
}

function isSameBut(names: readonly string[], a: readonly string[], b: readonly string[]): boolean {
  return withoutFlags(a, names).join("\n") === withoutFlags(b, names).join("\n");
}

function withoutFlags(flags: readonly string[], names: readonly string[]): readonly string[] {
  return flags.filter((word, i) => {
    const isOf = (text: string | undefined) => names.some((name) => text === `--${name}`);
    const isValue = isOf(flags[i - 1]) && !word.startsWith("--");
    return !isOf(word) && !isValue && !names.some((name) => word.startsWith(`--${name}=`));
  });
}

/** Ends a node's own process, and nothing else of the node; resolves once it is gone. */
export async function endNode(
  layout: LabLayout,
  node: LabNode,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<void> {
  const running = () => processesIn(layout.dir).filter((pid) => isNodeProcess(pid, node.name));
  const since = clock.now();
  for (let asked = false; ; asked = true) {
    const pids = running();
    if (pids.length === 0) return;
    const isLate = clock.now() - since > END_MS;
    if (!asked || isLate) for (const pid of pids) process.kill(pid, isLate ? "SIGKILL" : "SIGTERM");
    await clock.sleep(POLL_MS, { signal });
  }
}
