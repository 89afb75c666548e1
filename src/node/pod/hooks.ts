import { setTimeout as delay } from "node:timers/promises";
import type { Container, LifecycleHandler } from "#kube/generated/types";
import { tryHttp } from "../probe/try-http.ts";
import { portOf } from "../probe/try-probe.ts";
import type { Run, Runtime } from "../runtime/runtime.ts";

/** Runs a postStart or preStop handler; rejects with why it failed. Any HTTP answer is success. */
export async function runHook(
  handler: LifecycleHandler,
  target: { runtime: Runtime; run: Run; container: Container; ip: string },
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const { runtime, run, container, ip } = target;
  const { exec, httpGet, sleep } = handler;
  if (sleep) await delay(sleep.seconds * 1000, undefined, { signal });
  else if (httpGet) await tryHttp(httpGet, { ip, port: portOf(httpGet.port, container) }, { signal });
  else if (exec) {
    const work = runtime.exec(run.id, { command: exec.command ?? [], timeoutMs: undefined });
    const { code, output } = await Promise.race([work, aborted(signal)]);
    if (code !== 0) throw new Error(`command ended with code ${code}: ${output}`);
  } else throw new Error("the hook has no action that this node can run");
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
