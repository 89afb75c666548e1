import type { RuntimeChoice } from "./config.ts";
import type { ValueReader } from "./value-reader.ts";

const OURS = ["process", "containerd"] as const;

/** `--container-runtime-endpoint`, else `--runtime`, else whatever is found when the node starts. */
export function readRuntime(reader: ValueReader): RuntimeChoice {
  const socket = reader.parse("container-runtime-endpoint", parseSocket);
  const ours = reader.parse("runtime", parseOurs);
  if (socket !== undefined && ours !== undefined)
    reader.problems.push(
      `--runtime: with --container-runtime-endpoint somebody else runs the containers; leave one of the two out`,
    );
  if (socket !== undefined) return { kind: "endpoint", socket };
  return { kind: ours ?? "found" };
}

function parseOurs(text: string): (typeof OURS)[number] {
  const found = OURS.find((name) => name === text);
  if (found === undefined)
    throw new Error(`${JSON.stringify(text)} is not a runtime; use ${OURS.join(" or ")}`);
  return found;
}

/** A path, or one after `unix://`, as K3s takes it. */
function parseSocket(text: string): string {
  const path = text.replace(/^unix:\/\//, "");
  if (path.startsWith("/")) return path;
  throw new Error(`${JSON.stringify(text)} is not a socket such as unix:///run/containerd/containerd.sock`);
}
