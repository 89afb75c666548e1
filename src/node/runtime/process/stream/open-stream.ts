import { Fault } from "#fault/fault";
import type { StreamRequest, StreamTarget } from "../../runtime.ts";
import { attach, type OwnStreams } from "./attach.ts";
import { dialPod } from "./dial-pod.ts";
import { type Besides, runBeside } from "./run-beside.ts";

export interface StreamSources {
  /** Undefined for a container that does not run. */
  readonly container: (id: string) => Besides | undefined;
  readonly own: (id: string) => OwnStreams | undefined;
  /** A carried image's own program stands for its bundle. */
  readonly innerCommand: (id: string, command: readonly string[]) => readonly string[];
  /** Where the network namespace of a pod is mounted: undefined with the host's network. @throws {Fault} "NotFound" */
  readonly netns: (podUid: string) => string | undefined;
}

/** Streams into what this runtime runs: it has no streaming server of its own. */
export function openProcessStream(request: StreamRequest, sources: StreamSources): StreamTarget {
  if (request.kind === "ports") {
    const netns = sources.netns(request.podUid);
    return { kind: "ports", dial: (port, options) => dialPod(netns, port, options) };
  }
  const { id } = request;
  const container = sources.container(id);
  if (container === undefined) throw new Fault("NotFound", `container ${id} is not running`);
  const own = sources.own(id);
  if (request.kind === "attach" && own)
    return { kind: "command", run: (streams, options) => attach(own, streams, options) };
  if (request.kind === "attach") throw new Fault("NotFound", `container ${id} is not running`);
  const { tty } = request;
  const command = sources.innerCommand(id, request.command);
  return {
    kind: "command",
    run: (streams, { signal }) => runBeside(container, streams, { command, tty, signal }),
  };
}
