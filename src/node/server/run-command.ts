import type { ServerResponse } from "node:http";
import { explain } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import type { Runtime } from "../runtime/runtime.ts";
import { sendRefusal, sendText } from "./reply.ts";
import type { ContainerRef } from "./route.ts";
import { notRunning, runningOf } from "./serve-stream.ts";

export interface RunDeps {
  readonly findPod: (namespace: string, name: string) => Pod | undefined;
  readonly runtime: Runtime;
}

/** Runs `cmd` (split at spaces) in a container and answers with its output once it has ended.
 *  @see getRun in pkg/kubelet/server/server.go */
export async function runCommand(
  response: ServerResponse,
  { of, query }: { of: ContainerRef; query: URLSearchParams },
  { findPod, runtime }: RunDeps,
): Promise<void> {
  const pod = findPod(of.namespace, of.pod);
  if (!pod) return sendText(response, 404, "pod does not exist");
  const run = runningOf(pod, of, runtime);
  if (!run) return sendRefusal(response, notRunning(of.container));
  const command = (query.get("cmd") ?? "").split(" ");
  try {
    const { code, output } = await runtime.exec(run.id, { command, timeoutMs: undefined });
    if (code === 0) return sendText(response, 200, output, "application/json");
    sendText(response, 500, `command '${command.join(" ")}' exited with ${code}: ${output}`);
  } catch (error) {
    sendText(response, 500, explain(error));
  }
}
