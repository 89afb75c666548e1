import type { EventRecorder } from "#kube/event-recorder";
import type { Node } from "#kube/generated/types";
import type { Logger } from "#telemetry/log";
import type { Problem } from "./instance.ts";

/** Of one Node; the rest are counted. */
const MOST_TOLD = 8;

/** Tells what is wrong with a Node once: a Warning on it and a line in the log, and a line when it is over. */
export class ToldProblems {
  readonly #told = new Map<string, ReadonlySet<Problem>>();
  readonly #events: EventRecorder;
  readonly #log: Logger;

  constructor(events: EventRecorder, log: Logger) {
    this.#events = events;
    this.#log = log;
  }

  note(node: Node, problems: readonly Problem[]): void {
    const { name } = node.metadata;
    const more = problems.length - MOST_TOLD;
    const now = new Set([...problems.slice(0, MOST_TOLD), ...(more > 0 ? [`${more} more like these`] : [])]);
    const before = this.#told.get(name) ?? new Set();
    for (const problem of now.difference(before)) {
      this.#log.warn("a node says something about its machine that cannot be right", { node: name, problem });
      this.#events.record(node, { type: "Warning", reason: "BadNodeAnnotation", message: problem });
    }
    for (const problem of before.difference(now))
      this.#log.info("what a node says about its machine is right again", { node: name, problem });
    if (now.size > 0) this.#told.set(name, now);
    else this.#told.delete(name);
  }

  forget(name: string): void {
    this.#told.delete(name);
  }
}
