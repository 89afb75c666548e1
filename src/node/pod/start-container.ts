import { asError, explain, Fault, isFault } from "#fault/fault";
import type { Container, Pod } from "#kube/generated/types";
import { ensureImage, type Say } from "../image/ensure-image.ts";
import type { ContainerConfig, FoundImage, Run } from "../runtime/runtime.ts";
import { type ContainerView, fieldPathOf } from "../status/run-view.ts";
import { containerConfig, type FoundImages, type StartInputs } from "./container-config.ts";
import { note, type PodContext } from "./context.ts";
import { aborted, runHook } from "./hooks.ts";
import { noteFallback, stopContainer } from "./stop-pod.ts";

const DEFAULT_GRACE_SECONDS = 30;

/** Gets the image, starts the container and runs its postStart hook, with the kubelet's events.
 *  @throws {Fault} with the waiting reason as its code; whatever `signal` aborted with */
export async function startContainer(inputs: StartInputs, context: PodContext): Promise<Run> {
  const { pod, view, signal } = inputs;
  const say = speaker(context, pod, view);
  const volumeImages = await findVolumeImages(inputs, say, context);
  const image = await findImage(inputs, view.spec, say, context);
  signal.throwIfAborted();
  const config = configure(inputs, { image, volumeImages }, say, context);
  const run = await context.runtime.startContainer(config).catch((error: unknown) => {
    if (!isFault(error)) throw error;
    const isCreated = error.code === "StartError";
    if (isCreated) say("Normal", "Created", "Container created");
    say("Warning", "Failed", `Error: ${explain(error)}`);
    throw isCreated ? new Fault("RunContainerError", error.message, { cause: error }) : error;
  });
  context.onStarted(inputs.pod, run);
  say("Normal", "Created", "Container created");
  say("Normal", "Started", "Container started");
  await postStart(run, inputs, context, say);
  return run;
}

function speaker(context: PodContext, pod: Pod, view: ContainerView): Say {
  const fieldPath = fieldPathOf(view);
  return (type, reason, message) => note(context, pod, { type, reason, message, fieldPath });
}

/** The images that the container's mounts are of. */
async function findVolumeImages(
  inputs: StartInputs,
  say: Say,
  context: PodContext,
): Promise<FoundImages["volumeImages"]> {
  const { pod } = inputs;
  // Pulling is the pod's business; that a container cannot start for it is the container's.
  const tell: Say = (type, reason, message) =>
    message.startsWith("Error: ")
      ? say(type, reason, message)
      : note(context, pod, { type, reason, message });
  const found = new Map<string, { ref: string; name: string }>();
  const mounted = new Set(inputs.view.spec.volumeMounts?.map(({ name }) => name));
  for (const { name, image } of pod.spec?.volumes ?? []) {
    if (!image || !mounted.has(name)) continue;
    const { reference = "", pullPolicy } = image;
    const wish = { image: reference, ...(pullPolicy ? { imagePullPolicy: pullPolicy } : {}) };
    const { imageRef } = await findImage(inputs, wish, tell, context);
    found.set(name, { ref: imageRef, name: reference });
  }
  return found;
}

async function findImage(
  { pod, signal, heldBack }: StartInputs,
  container: Pick<Container, "image" | "imagePullPolicy">,
  say: Say,
  { runtime, images, references, clock }: PodContext,
): Promise<FoundImage> {
  const secret = (name: string) => references.secret(pod.metadata.namespace ?? "", name);
  const wish = { container, pod, heldBack, signal };
  const work = ensureImage(wish, say, { runtime, ...images, secret, now: () => clock.now() });
  return Promise.race([work, aborted(signal)]); // A runtime that hangs keeps no pod from ending.
}

function configure(inputs: StartInputs, images: FoundImages, say: Say, context: PodContext): ContainerConfig {
  try {
    return containerConfig(inputs, images, context);
  } catch (error) {
    if (isFault(error)) say("Warning", "Failed", `Error: ${error.message}`);
    throw error;
  }
}

async function postStart(run: Run, inputs: StartInputs, context: PodContext, say: Say): Promise<void> {
  const { view, facts, pod, signal } = inputs;
  const hook = view.spec.lifecycle?.postStart;
  if (!hook) return;
  const podIp = facts.podIps[0] ?? "";
  const target = {
    ...{ pod, runtime: context.runtime, run, container: view.spec, ip: podIp },
    onFallback: (host: string) => noteFallback(context, pod, host),
  };
  try {
    await runHook(hook, target, { signal });
  } catch (error) {
    signal.throwIfAborted();
    // Without what it said: that may be a secret of the server it asked.
    say("Warning", "FailedPostStartHook", "PostStartHook failed");
    say("Normal", "Killing", "FailedPostStartHook");
    const seconds = pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
    const deadline = context.clock.now() + seconds * 1000;
    await stopContainer({ ...view, current: run }, pod, { deadline: () => deadline, podIp }, context);
    throw new Fault("PostStartHookError", asError(error).message, { cause: error });
  }
}
