import { Fault } from "#fault/fault";
import type { Sandbox, StreamRequest, StreamTarget } from "../runtime.ts";
import type { CriChannel } from "./channel.ts";
import { CriFault } from "./cri-fault.ts";

export interface StreamDeps {
  readonly channel: CriChannel;
  readonly sandbox: (podUid: string) => Sandbox | undefined;
  readonly signal: AbortSignal;
}

/** Where the runtime's own streaming server waits for the stream: an address that is good once, for a minute.
 *  @throws {Fault} "NotFound", "NotRunning", or what the runtime said */
export async function openStream(request: StreamRequest, deps: StreamDeps): Promise<StreamTarget> {
  try {
    return { kind: "proxy", url: await park(request, deps) };
  } catch (error) {
    if (!(error instanceof CriFault)) throw error;
    const code =
      error.status === "NotFound" || error.status === "ResourceExhausted"
        ? error.status
        : / is in CONTAINER_\w+ state|not running/.test(error.words)
          ? "NotRunning"
          : "StreamRefused";
    throw new Fault(code, error.words);
  }
}

async function park(request: StreamRequest, { channel, sandbox, signal }: StreamDeps): Promise<string> {
  if (request.kind === "ports") {
    const podSandboxId = sandbox(request.podUid)?.id;
    if (podSandboxId === undefined) throw new Fault("NotFound", "the pod has no sandbox");
    return (await channel.call("PortForward", { podSandboxId, port: request.ports }, { signal })).url;
  }
  const { id, tty, stdin, stdout, stderr } = request;
  const streams = { containerId: id, tty, stdin, stdout, stderr: stderr && !tty };
  if (request.kind === "attach") return (await channel.call("Attach", streams, { signal })).url;
  return (await channel.call("Exec", { ...streams, cmd: request.command }, { signal })).url;
}
