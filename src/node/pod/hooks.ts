import { asError } from "#fault/fault";
import type { Container, LifecycleHandler, Pod } from "#kube/generated/types";
import { isClearAnswer } from "../probe/network-words.ts";
import { sendGet } from "../probe/try-http.ts";
import { portOf } from "../probe/try-probe.ts";
import type { Run, Runtime } from "../runtime/runtime.ts";

export interface HookTarget {
  readonly pod: Pod;
  readonly runtime: Runtime;
  readonly run: Run;
  readonly container: Container;
  /** The pod's first address; the node's for a pod of the host's network. */
  readonly ip: string;
  /** Told when an https hook was answered in clear text, and then succeeded so. */
  readonly onFallback: (host: string) => void;
}

/** Runs a postStart or preStop handler; rejects with why it failed, in the kubelet's words. Any HTTP answer is success.
 *  @see kubelet lifecycle/handlers.go */
export async function runHook(
  handler: LifecycleHandler,
  target: HookTarget,
  { signal }: { signal: AbortSignal },
): Promise<void> {
  const { exec, httpGet, sleep } = handler;
  const { container, pod } = target;
  const where = `for Container "${container.name}" in Pod "${podText(pod)}" failed - error:`;
  if (exec) {
    const command = exec.command ?? [];
    await runCommand(command, target, signal).catch((error: unknown) => {
      const output = error instanceof CommandFailure ? error.output : "";
      throw new Error(
        `Exec lifecycle hook ([${command.join(" ")}]) ${where} ${asError(error).message}, message: ${JSON.stringify(output)}`,
      );
    });
  } else if (httpGet)
    await request(httpGet, target, signal).catch((error: unknown) => {
      throw new Error(`HTTP lifecycle hook (${httpGet.path ?? ""}) ${where} ${asError(error).message}`);
    });
  else if (sleep)
    await pause(sleep.seconds * 1000, signal).catch(() => {
      throw new Error(
        `Sleep lifecycle hook (${sleep.seconds}) ${where} container terminated before sleep hook finished`,
      );
    });
  else throw new Error("Cannot run handler: invalid handler: it has no action that a node can run");
}

/** `<name>_<namespace>(<uid>)`, as the kubelet's messages name a pod. */
export function podText({ metadata }: Pod): string {
  return `${metadata.name}_${metadata.namespace}(${metadata.uid})`;
}

class CommandFailure extends Error {
  readonly output: string;

  constructor(message: string, output: string) {
    super(message);
    this.output = output;
  }
}

/** As written, without a time limit of its own. */
async function runCommand(
  command: readonly string[],
  { runtime, run }: HookTarget,
  signal: AbortSignal,
): Promise<void> {
  const work = runtime.exec(run.id, { command, timeoutMs: undefined });
  work.catch(() => {}); // Nobody listens any more once it was given up.
  const { code, output, errors } = await Promise.race([work, aborted(signal)]);
  if (code !== 0)
    throw new CommandFailure(`command '${command.join(" ")}' exited with ${code}: ${errors}`, output);
}

async function request(
  action: NonNullable<LifecycleHandler["httpGet"]>,
  { ip, container, onFallback }: HookTarget,
  signal: AbortSignal,
): Promise<void> {
  const host = action.host || ip;
  const port = portOf(action.port, container);
  const send = (scheme: string) =>
    sendGet({ ...action, scheme }, { ip: host, port }, { signal, agent: "kube-lifecycle" });
  const scheme = action.scheme ?? "HTTP";
  try {
    await send(scheme);
  } catch (error) {
    if (scheme !== "HTTPS" || !isClearAnswer(error)) throw error;
    await send("HTTP");
    onFallback(`${host}:${port}`);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, ms);
    signal.addEventListener("abort", end, { once: true });
  });
}

/** Rejects when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
