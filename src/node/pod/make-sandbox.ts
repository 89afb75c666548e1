import { explain, Fault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { note, type PodContext } from "./context.ts";
import { runtimeHandlerOf } from "./runtime-class.ts";
import { sandboxConfig } from "./sandbox-config.ts";

/** Makes the pod's sandbox, another one where the old one is of no use any more. @throws {Fault} "NetworkNotReady" or what the runtime said */
export async function makeSandbox(pod: Pod, context: PodContext): Promise<void> {
  const { runtime } = context;
  const uid = pod.metadata.uid ?? "";
  const old = runtime.sandbox(uid);
  checkNetwork(pod, context);
  if (old) await leaveSandbox(pod, context);
  try {
    const runtimeHandler = await runtimeHandlerOf(pod, context);
    const attempt = old ? old.attempt + 1 : 0;
    await runtime.runSandbox(sandboxConfig(pod, context, { attempt, runtimeHandler }));
  } catch (error) {
    const message = `Failed to create pod sandbox: ${explain(error)}`;
    note(context, pod, { type: "Warning", reason: "FailedCreatePodSandBox", message });
    throw error;
  }
}

function checkNetwork(pod: Pod, context: PodContext): void {
  const complaint = context.networkComplaint();
  if (pod.spec?.hostNetwork === true || complaint === undefined) return;
  const message = `network is not ready: ${complaint}`;
  note(context, pod, { type: "Warning", reason: "NetworkNotReady", message });
  throw new Fault("NetworkNotReady", message);
}

async function leaveSandbox(pod: Pod, context: PodContext): Promise<void> {
  const { runtime } = context;
  note(context, pod, {
    type: "Normal",
    reason: "SandboxChanged",
    message: "Pod sandbox changed, it will be killed and re-created.",
  });
  const alive = runtime.runs(pod.metadata.uid ?? "").filter(({ exit }) => exit === undefined);
  await Promise.all(alive.map(({ id }) => runtime.stopContainer(id, { graceMs: 2_000 })));
}
