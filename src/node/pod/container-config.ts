import { Fault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { wholeOf } from "../cgroup/amounts.ts";
import { containerResources } from "../cgroup/limits.ts";
import { containerEnv } from "../env/container-env.ts";
import type { DownwardFacts } from "../env/downward.ts";
import { serviceEnv } from "../env/service-env.ts";
import type { ContainerConfig, FoundImage, Runtime } from "../runtime/runtime.ts";
import type { ContainerView } from "../status/run-view.ts";
import { isReadOnlyKind } from "../volume/volumes.ts";
import { volumeBinds } from "./binds.ts";
import { containerHash } from "./container-hash.ts";
import { type PodContext, podLogFolder } from "./context.ts";
import { writePodFiles } from "./pod-files.ts";
import { pidScope, sandboxConfig } from "./sandbox-config.ts";
import { containerSecurity } from "./security.ts";
import { nextAttempt } from "./view.ts";

export interface StartInputs {
  readonly pod: Pod;
  readonly view: ContainerView;
  readonly facts: DownwardFacts;
  /** Volume name to folder. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Of the pod's RuntimeClass. */
  readonly runtimeHandler: string;
  /** Why its image was not pulled, while it is too soon to ask again. */
  readonly heldBack: Fault | undefined;
  /** Aborted once the pod is to end. */
  readonly signal: AbortSignal;
}

/** The image that a container is made from, and by name those of its volumes that are one. */
export interface FoundImages {
  readonly image: FoundImage;
  readonly volumeImages: ReadonlyMap<string, { readonly ref: string; readonly name: string }>;
}

/** Whether a handler makes mounts read-only with all that is mounted below them. */
export function canReadOnlyBelow(runtime: Runtime, handler: string): boolean {
  const handlers = runtime.features?.().handlers ?? [];
  return handlers.find(({ name }) => name === handler)?.recursiveReadOnlyMounts ?? false;
}

/** All that the runtime is told of a container. @throws {Fault} "CreateContainerConfigError" */
export function containerConfig(
  inputs: StartInputs,
  { image, volumeImages }: FoundImages,
  context: PodContext,
): ContainerConfig {
  const { pod, view, facts, volumes, runtimeHandler } = inputs;
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
    volumes,
  });
  const files = writePodFiles(
    pod,
    { ips: facts.podIps, isReadOnlyRoot: container.securityContext?.readOnlyRootFilesystem === true },
    context,
  );
  const subPathsDir = `${settings.podsDir}/${metadata.uid}/volume-subpaths`;
  const readOnly = new Set((spec?.volumes ?? []).filter(isReadOnlyKind).map(({ name }) => name));
  const own = volumeBinds(container, {
    paths: volumes,
    readOnly,
    env: made.env,
    images: volumeImages,
    canReadOnlyBelow: canReadOnlyBelow(context.runtime, runtimeHandler),
    subPathsDir,
  });
  const taken = new Set(own.map(({ containerPath }) => containerPath));
  const logDir = podLogFolder(settings.podLogsDir, pod);
  const attempt = nextAttempt(view, pod, logDir);
  const sandboxAttempt = context.runtime.sandbox(metadata.uid ?? "")?.attempt ?? 0;
  return {
    podUid: metadata.uid ?? "",
    podName: metadata.name,
    podNamespace: namespace,
    name: container.name,
    attempt,
    image: container.image ?? "",
    imageRef: image.imageRef,
    hash: containerHash(container),
    ...made,
    workingDir: container.workingDir || undefined,
    hostname: files.hostname,
    binds: [...files.binds.filter(({ containerPath }) => !taken.has(containerPath)), ...own],
    logPath: `${logDir}/${container.name}/${attempt}.log`,
    terminationMessage: {
      path: container.terminationMessagePath || "/dev/termination-log",
      fallBackToLogs: container.terminationMessagePolicy === "FallbackToLogsOnError",
    },
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    pid: pidOf(view, pod, context),
    ipc: spec?.hostIPC === true ? "node" : "pod",
    security: containerSecurity(container, pod, { image, seccomp: settings.seccomp }),
    resources: containerResources(container, pod, { memoryBytes: wholeOf(settings.capacity["memory"]) }),
    annotations: annotations(view, pod, attempt),
    sandbox: sandboxConfig(pod, context, { attempt: sandboxAttempt, runtimeHandler }),
  };
}

/** An ephemeral container may see the processes of one of the others. */
function pidOf({ spec }: ContainerView, pod: Pod, { runtime }: PodContext): ContainerConfig["pid"] {
  const scope = pidScope(pod);
  const wanted = spec.targetContainerName;
  if (!wanted || scope !== "container") return scope;
  const target = runtime
    .runs(pod.metadata.uid ?? "")
    .find(({ name, exit }) => name === wanted && exit === undefined);
  if (!target) throw new Fault("CreateContainerConfigError", `unable to find target container ${wanted}`);
  return { target: target.id };
}

function annotations({ spec }: ContainerView, pod: Pod, attempt: number): Readonly<Record<string, string>> {
  const preStop = spec.lifecycle?.preStop;
  const grace = pod.spec?.terminationGracePeriodSeconds;
  const deletionGrace = pod.metadata.deletionGracePeriodSeconds;
  return {
    "io.kubernetes.container.hash": containerHash(spec),
    "io.kubernetes.container.restartCount": String(attempt),
    "io.kubernetes.container.terminationMessagePath": spec.terminationMessagePath ?? "",
    "io.kubernetes.container.terminationMessagePolicy": spec.terminationMessagePolicy ?? "",
    ...(preStop ? { "io.kubernetes.container.preStopHandler": JSON.stringify(preStop) } : {}),
    ...(spec.ports?.length ? { "io.kubernetes.container.ports": JSON.stringify(spec.ports) } : {}),
    ...(grace === undefined ? {} : { "io.kubernetes.pod.terminationGracePeriod": String(grace) }),
    ...(deletionGrace === undefined
      ? {}
      : { "io.kubernetes.pod.deletionGracePeriod": String(deletionGrace) }),
  };
}
