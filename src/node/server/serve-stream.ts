import { asError, isFault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { portsOf } from "#kube/stream/port-channels";
import { type CommandWants, serveCommand } from "#kube/stream/serve-command";
import { servePortForward } from "#kube/stream/serve-port-forward";
import type { Upgrade } from "#kube/stream/upgrade";
import type { Run, Runtime, StreamRequest, StreamTarget } from "../runtime/runtime.ts";
import { passUpgrade } from "./pass-upgrade.ts";
import { containersOf } from "./pod-containers.ts";
import type { Refusal } from "./reply.ts";
import type { ContainerRef, PodRef, StreamRoute } from "./route.ts";

export interface StreamDeps {
  readonly findPod: (namespace: string, name: string) => Pod | undefined;
  readonly runtime: Runtime;
  readonly signal: AbortSignal;
}

/** What a client's request comes to before anything is upgraded. */
export type OpenedStream =
  | { readonly kind: "open"; readonly serve: (upgrade: Upgrade) => Promise<void> }
  | ({ readonly kind: "refused" } & Refusal);

/** Streams on which nothing was said for so long are ended. */
const IDLE_MS = 4 * 60 * 60 * 1000;

/** Asks the runtime for the stream; only then is the client's upgrade answered, by the runtime's own server or here. */
export async function openStream(
  route: StreamRoute,
  query: URLSearchParams,
  deps: StreamDeps,
): Promise<OpenedStream> {
  const pod = deps.findPod(route.of.namespace, route.of.pod);
  const wants = wantsOf(query);
  if (route.kind !== "ports" && !wants.stdin && !wants.stdout && !wants.stderr)
    return refused(400, "you must specify at least 1 of stdin, stdout, stderr");
  if (!pod) return refused(404, "pod does not exist");
  const request =
    route.kind === "ports"
      ? portsRequest(pod, { of: route.of, ports: query.getAll("port") }, deps.runtime)
      : commandRequest(pod, { route, wants, command: query.getAll("command") }, deps.runtime);
  if ("status" in request) return { kind: "refused", ...request };
  try {
    const target = await deps.runtime.openStream(request);
    return { kind: "open", serve: (upgrade) => serve(upgrade, { target, request, of: route.of }, deps) };
  } catch (error) {
    return { kind: "refused", ...refusalOf(error) };
  }
}

interface Opened {
  readonly target: StreamTarget;
  readonly request: StreamRequest;
  readonly of: PodRef;
}

function serve(upgrade: Upgrade, { target, request, of }: Opened, { signal }: StreamDeps): Promise<void> {
  const base = { signal, idleMs: IDLE_MS };
  if (target.kind === "proxy") return passUpgrade(upgrade, { url: target.url, ...base });
  if (target.kind === "ports")
    return servePortForward(upgrade, {
      dial: (port, options) => target.dial(port, options),
      pod: `${of.namespace}/${of.pod}`,
      ...base,
    });
  if (request.kind === "ports")
    throw new Error("broken invariant: a command was opened where ports were asked for");
  const { stdin, stdout, stderr, tty } = request;
  return serveCommand(upgrade, {
    wants: { stdin, stdout, stderr, tty },
    run: (streams, options) => target.run(streams, options),
    ...base,
  });
}

/** With a terminal, errors come with the output. */
function wantsOf(query: URLSearchParams): CommandWants {
  const is = (name: string) => query.get(name) === "1";
  const tty = is("tty");
  return { tty, stdin: is("input"), stdout: is("output"), stderr: is("error") && !tty };
}

interface CommandAsk {
  readonly route: StreamRoute & { readonly kind: "exec" | "attach" };
  readonly wants: CommandWants;
  readonly command: readonly string[];
}

function commandRequest(
  pod: Pod,
  { route, wants, command }: CommandAsk,
  runtime: Runtime,
): StreamRequest | Refusal {
  const run = runningOf(pod, route.of, runtime);
  if (!run) return route.kind === "exec" ? notRunning(route.of.container) : notAttachable(route.of);
  if (route.kind === "exec") return { kind: "exec", id: run.id, command, ...wants };
  // Whether its program has a terminal was decided when it was started.
  const tty = containersOf(pod).find(({ name }) => name === run.name)?.tty ?? false;
  return { kind: "attach", id: run.id, ...wants, tty, stderr: wants.stderr && !tty };
}

function portsRequest(
  pod: Pod,
  { of: { pod: name, namespace, uid }, ports }: { of: PodRef; ports: readonly string[] },
  runtime: Runtime,
): StreamRequest | Refusal {
  const podUid = pod.metadata.uid ?? "";
  const isSame = uid === undefined || uid === podUid;
  if (!isSame || !runtime.sandbox(podUid)?.isReady)
    return { status: 500, message: `pod not found ("${name}_${namespace}")` };
  const named = portsOf(new URLSearchParams({ port: ports.join(",") }));
  // What cannot be read is refused by whoever serves the stream, in its own words.
  return { kind: "ports", podUid, ports: typeof named === "string" ? [] : named };
}

/** The container's run that has not ended; undefined when the client meant another pod of that name. */
export function runningOf(pod: Pod, { uid, container }: ContainerRef, runtime: Runtime): Run | undefined {
  const podUid = pod.metadata.uid ?? "";
  if (uid !== undefined && uid !== podUid) return undefined;
  return runtime.runs(podUid).find(({ name, exit }) => name === container && exit === undefined);
}

export function notRunning(container: string): Refusal {
  return { status: 500, message: `container not found ("${container}")` };
}

function notAttachable({ container, pod, namespace }: ContainerRef): Refusal {
  return { status: 500, message: `container ${container} not found in pod ${pod}_${namespace}` };
}

const STATUS: Readonly<Record<string, number>> = { NotFound: 404 };

/** @see WriteError in k8s.io/kubelet/pkg/cri/streaming/errors.go */
export function refusalOf(error: unknown): Refusal {
  const code = isFault(error) ? error.code : "";
  const { message } = asError(error);
  if (code === "ResourceExhausted") return { status: 429, message, headers: { "Retry-After": "60" } };
  return { status: STATUS[code] ?? 500, message };
}

function refused(status: number, message: string): OpenedStream {
  return { kind: "refused", status, message };
}
