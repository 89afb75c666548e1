/** A node's CNI runtime in a process of its own, for tests: it is started in namespaces, asked by one JSON value a line, and
 *  killed. What it is asked to run with `sh` runs beside it, in the same namespaces. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { explain } from "#fault/fault";
import { openKernel } from "#kernel/open";
import { systemClock } from "#life/clock";
import { openLog } from "#telemetry/log";
import { servePlugin } from "../../plugin/serve.ts";
import type { PodAttachRequest } from "../../pod-attachment.ts";
import { openCniRuntime } from "../open.ts";
import { PluginFault } from "../plugin-fault.ts";

export interface HostSettings {
  readonly dir: string;
  readonly binDirs: readonly string[];
  readonly timeoutMs: number;
}

export type Question =
  | { readonly do: "add"; readonly pod: Partial<PodAttachRequest> & { readonly containerId: string } }
  | { readonly do: "remove" | "check"; readonly containerId: string }
  | { readonly do: "collect"; readonly valid: readonly string[] }
  | { readonly do: "make-pod" | "lose-pod"; readonly containerId: string }
  | { readonly do: "complaint" }
  /** The agent's end of the plugin answers at `plugin.sock` from here on, without a network of its own. */
  | { readonly do: "serve-plugin" }
  /** Its standard output; in the pod's network namespace when one is named. */
  | { readonly do: "sh"; readonly script: string; readonly containerId?: string };

export type Answer =
  | { readonly value: unknown }
  | { readonly error: string; readonly code: string | undefined; readonly pluginCode: number | undefined };

const { dir, binDirs, timeoutMs } = JSON.parse(process.argv[2] ?? "{}") as HostSettings;
const stop = new AbortController();
const kernel = openKernel();
mkdirSync(join(dir, "netns"), { recursive: true });
const runtime = openCniRuntime({
  confDir: join(dir, "net.d"),
  cacheDir: join(dir, "cni"),
  binDirs,
  timeoutMs,
  clock: systemClock,
  log: openLog({ write: (line) => process.stderr.write(line), level: "debug" }),
  signal: stop.signal,
});

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { id, question } = JSON.parse(line) as { id: number; question: Question };
    void answer(question).then((told) => process.stdout.write(`${JSON.stringify({ id, ...told })}\n`));
  })
  .on("close", () => process.exit(0));

async function answer(question: Question): Promise<Answer> {
  try {
    return { value: (await act(question)) ?? null };
  } catch (error) {
    const fault = error instanceof PluginFault ? error : undefined;
    return { error: explain(error), code: fault?.code, pluginCode: fault?.pluginCode };
  }
}

async function act(question: Question): Promise<unknown> {
  switch (question.do) {
    case "add":
      return runtime.add({
        ...keyOf(question.pod.containerId),
        portMappings: [],
        annotations: {},
        ...question.pod,
      });
    case "remove":
      return runtime.remove(keyOf(question.containerId));
    case "check":
      return runtime.check(keyOf(question.containerId));
    case "collect":
      return runtime.collect(new Set(question.valid));
    case "make-pod":
      kernel.createNetns(netnsOf(question.containerId))[Symbol.dispose]();
      return;
    case "lose-pod":
      kernel.deleteNetns(netnsOf(question.containerId));
      return;
    case "complaint":
      return runtime.complaint();
    case "serve-plugin":
      return servePluginHere();
    case "sh":
      return sh(question.script, question.containerId);
    default:
      return question satisfies never;
  }
}

async function servePluginHere(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socketPath = join(dir, "plugin.sock");
  const log = openLog({ write: (line) => process.stderr.write(line), level: "debug" });
  void servePlugin({ socketPath, network: () => undefined, log, signal: stop.signal, onListening: resolve });
  await promise;
}

function sh(script: string, containerId: string | undefined): string {
  const words = containerId === undefined ? [] : ["nsenter", `--net=${netnsOf(containerId)}`];
  const [command = "", ...args] = [...words, "sh", "-c", script];
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${script}: ${stdout}${stderr}`);
  return stdout;
}

function netnsOf(containerId: string): string {
  return join(dir, "netns", containerId);
}

function keyOf(containerId: string) {
  const [podName, podNamespace, podUid] = [`pod-${containerId}`, "default", `uid-${containerId}`];
  return { containerId, ifname: "eth0", netns: netnsOf(containerId), podName, podNamespace, podUid };
}
