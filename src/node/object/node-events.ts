import type { EventRecorder } from "#kube/event-recorder";
import type { Node, NodeCondition, NodeStatus } from "#kube/generated/types";

type Note = readonly [type: "Normal" | "Warning", reason: string, message: string];

/** Tells on the Node what changed about it, as a kubelet does. */
export class NodeEvents {
  readonly #events: EventRecorder;
  #told = new Map<string, string>();
  #isUnschedulable: boolean | undefined;
  #hasBegun = false;

  constructor(events: EventRecorder) {
    this.#events = events;
  }

  /** `before` is what the API said until now, `after` what was just written. */
  note(node: Node, before: NodeStatus, after: NodeStatus): void {
    const { name } = node.metadata;
    if (!this.#hasBegun) this.#record(node, begins(name, before, after));
    this.#hasBegun = true;
    for (const condition of after.conditions ?? []) {
      const reason = reasonOf(condition);
      if (reason === undefined || this.#told.get(condition.type) === reason) continue;
      const isFirst = !this.#told.has(condition.type);
      this.#told.set(condition.type, reason);
      // A node that was never ready does not become unready.
      const wasReady = before.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
      if (isFirst && reason === "NodeNotReady" && !wasReady) continue;
      this.#record(node, [["Normal", reason, `Node ${name} status is now: ${reason}`]]);
    }
    this.#noteSchedulable(node);
  }

  /** Only a change is news. */
  #noteSchedulable(node: Node): void {
    const isUnschedulable = node.spec?.unschedulable === true;
    const before = this.#isUnschedulable;
    this.#isUnschedulable = isUnschedulable;
    if (before === undefined || before === isUnschedulable) return;
    const reason = isUnschedulable ? "NodeNotSchedulable" : "NodeSchedulable";
    this.#record(node, [["Normal", reason, `Node ${node.metadata.name} status is now: ${reason}`]]);
  }

  #record(node: Node, notes: readonly Note[]): void {
    for (const [type, reason, message] of notes)
      this.#events.record({ ...node, apiVersion: "v1", kind: "Node" }, { type, reason, message });
  }
}

function begins(
  name: string,
  { nodeInfo: before }: NodeStatus,
  { nodeInfo: after }: NodeStatus,
): readonly Note[] {
  const hasRebooted = Boolean(before?.bootID) && before?.bootID !== after?.bootID;
  return [
    ["Normal", "Starting", "Starting kubelet."],
    ["Normal", "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods"],
    ...(hasRebooted
      ? [["Warning", "Rebooted", `Node ${name} has been rebooted, boot id: ${after?.bootID}`] as const]
      : []),
  ];
}

/** Pressure has its own words for both ways; being ready has only these. */
function reasonOf({ type, status, reason }: NodeCondition): string | undefined {
  if (type === "Ready") return status === "True" ? "NodeReady" : "NodeNotReady";
  const known: Readonly<Record<string, string>> = {
    KubeletHasSufficientMemory: "NodeHasSufficientMemory",
    KubeletHasInsufficientMemory: "NodeHasInsufficientMemory",
    KubeletHasNoDiskPressure: "NodeHasNoDiskPressure",
    KubeletHasDiskPressure: "NodeHasDiskPressure",
    KubeletHasSufficientPID: "NodeHasSufficientPID",
    KubeletHasInsufficientPID: "NodeHasInsufficientPID",
  };
  return known[reason ?? ""];
}
