import { explain, Fault, isFault } from "#fault/fault";
import type { Container, Pod } from "#kube/generated/types";
import { wholeOf } from "../cgroup/amounts.ts";
import { containerResources } from "../cgroup/limits.ts";
import { containerEnv } from "../env/container-env.ts";
import type { DownwardFacts } from "../env/downward.ts";
import { serviceEnv } from "../env/service-env.ts";
import type { ContainerConfig, ImageRequest, Run } from "../runtime/runtime.ts";
import type { ContainerView } from "../status/run-view.ts";
import { volumeBinds } from "./binds.ts";
import { containerHash } from "./container-hash.ts";
import { note, type PodContext, podLogFolder } from "./context.ts";
import { runHook } from "./hooks.ts";
import { writePodFiles } from "./pod-files.ts";
import { pidScope, sandboxConfig } from "./sandbox-config.ts";
import { containerSecurity } from "./security.ts";
import { nextAttempt } from "./view.ts";

const HOOK_MS = 120_000;

export interface StartInputs {
  readonly pod: Pod;
  readonly view: ContainerView;
  readonly facts: DownwardFacts;
  /** Volume name to folder. */
  readonly volumes: ReadonlyMap<string, string>;
}

/** Gets the image, starts the container and runs its postStart hook, with the kubelet's events.
 *  @throws {Fault} with the waiting reason as its code */
export async function startContainer(inputs: StartInputs, context: PodContext): Promise<Run> {
  const { pod, view } = inputs;
  const say = speaker(context, pod, view);
  const imageRef = await ensureImage(view.spec, say, context);
  const config = await configure(inputs, imageRef, context).catch((error: unknown) => {
    if (isFault(error)) say("Warning", "Failed", `Error: ${error.message}`);
    throw error;
  });
  try {
    const run = await context.runtime.startContainer(config);
    say("Normal", "Created", `Created container: ${view.spec.name}`);
    say("Normal", "Started", `Started container ${view.spec.name}`);
    await postStart(run, inputs, context, say);
    return run;
  } catch (error) {
    if (isFault(error) && error.code !== "PostStartHookError")
      say("Warning", "Failed", `Error: ${explain(error)}`);
    throw isFault(error) && error.code === "StartError"
      ? new Fault("RunContainerError", error.message, { cause: error })
      : error;
  }
}

type Say = (type: "Normal" | "Warning", reason: string, message: string) => void;

function speaker(context: PodContext, pod: Pod, { kind, spec }: ContainerView): Say {
  const list = kind === "regular" ? "containers" : "initContainers";
  const fieldPath = `spec.${list}{${spec.name}}`;
  return (type, reason, message) => note(context, pod, { type, reason, message, fieldPath });
}

async function ensureImage(
  { image = "", imagePullPolicy }: Container,
  say: Say,
  { runtime }: PodContext,
): Promise<string> {
  const policy = (imagePullPolicy ?? "IfNotPresent") as ImageRequest["policy"]; // The API lets no other pass.
  try {
    const { imageRef } = await runtime.ensureImage({ image, policy, auths: [] });
    say("Normal", "Pulled", `Container image "${image}" already present on machine`);
    return imageRef;
  } catch (error) {
    if (isFault(error)) {
      say("Warning", "Failed", `Failed to pull image "${image}": ${error.message}`);
      say("Warning", "Failed", `Error: ${error.code}`);
    }
    throw error;
  }
}

async function configure(
  inputs: StartInputs,
  imageRef: string,
  context: PodContext,
): Promise<ContainerConfig> {
  const { pod, view, facts, volumes } = inputs;
  const { metadata, spec } = pod;
  const { references, settings } = context;
  const container = view.spec;
  const namespace = metadata.namespace ?? "";
  const services = serviceEnv(context.services(), { namespace, links: spec?.enableServiceLinks ?? true });
  const made = containerEnv(container, {
    pod,
    facts,
    services,
    configMap: (name) => references.configMap(namespace, name),
    secret: (name) => references.secret(namespace, name),
  });
  const files = writePodFiles(pod, facts.podIps, context);
  const own = volumeBinds(container, volumes, made.env);
  const taken = new Set(own.map(({ containerPath }) => containerPath));
  const attempt = nextAttempt(view, pod);
  return {
    podUid: metadata.uid ?? "",
    podName: metadata.name,
    podNamespace: namespace,
    name: container.name,
    attempt,
    image: container.image ?? "",
    imageRef,
    hash: containerHash(container),
    ...made,
    workingDir: container.workingDir || undefined,
    hostname: files.hostname,
    binds: [...files.binds.filter(({ containerPath }) => !taken.has(containerPath)), ...own],
    logPath: `${podLogFolder(settings.podLogsDir, pod)}/${container.name}/${attempt}.log`,
    terminationMessage: {
      path: container.terminationMessagePath || "/dev/termination-log",
      fallBackToLogs: container.terminationMessagePolicy === "FallbackToLogsOnError",
    },
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    pid: pidScope(pod),
    ipc: spec?.hostIPC === true ? "node" : "pod",
    security: containerSecurity(container, pod),
    resources: containerResources(container, pod, {
      memoryBytes: wholeOf(settings.capacity["memory"]),
    }),
    annotations: {},
    sandbox: sandboxConfig(pod, context, context.runtime.sandbox(metadata.uid ?? "")?.attempt ?? 0),
  };
}

async function postStart(
  run: Run,
  { view, facts }: StartInputs,
  context: PodContext,
  say: Say,
): Promise<void> {
  const hook = view.spec.lifecycle?.postStart;
  if (!hook) return;
  const { runtime, signal } = context;
  const target = { runtime, run, container: view.spec, ip: facts.podIps[0] ?? "" };
  try {
    await runHook(hook, target, { signal: AbortSignal.any([signal, AbortSignal.timeout(HOOK_MS)]) });
  } catch (error) {
    signal.throwIfAborted();
    say("Warning", "FailedPostStartHook", `PostStartHook failed: ${explain(error)}`);
    await runtime.stopContainer(run.id, { graceMs: 2000 });
    throw new Fault("PostStartHookError", explain(error), { cause: error });
  }
}
