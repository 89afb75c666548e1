import type { NodeOptions } from "./options.ts";

export type { NodeOptions } from "./options.ts";

/** Is the node's part of the cluster until aborted: registers the Node, keeps its lease, runs the pods assigned to it and
 *  answers for them on port 10250. Running pods outlive it. */
export async function runNode(options: NodeOptions): Promise<void> {
  options.signal.throwIfAborted();
}
