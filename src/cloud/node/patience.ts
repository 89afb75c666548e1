import type { Node } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { NODE_ANNOTATIONS } from "../names.ts";
import type { NodePlan } from "./plan.ts";

/** Agents of K3s register first and tell of their machine a moment later. */
const PATIENCE_MS = 10_000;

/** Says, once and after a while, that a Node waits for somebody to tell of its machine: nothing is scheduled to it. */
export class Patience {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #since = new Map<string, number>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** How long until it is worth another look; undefined where nobody waits, or all is said. */
  leftMs({ metadata: { name } }: Node, { isWaiting }: NodePlan): number | undefined {
    if (!isWaiting) {
      this.forget(name);
      return undefined;
    }
    const now = this.#clock.now();
    const since = this.#since.get(name) ?? now;
    this.#since.set(name, since);
    const left = since + PATIENCE_MS - now;
    if (left > 0) return left;
    if (since !== Number.NEGATIVE_INFINITY)
      this.#log.warn("nothing can be scheduled to a node: no agent has told of its machine", {
        node: name,
        fix: `its agent sets the annotation ${NODE_ANNOTATIONS.internalIp}; where another cloud controller is to do it, use --disable-cloud-controller`,
      });
    this.#since.set(name, Number.NEGATIVE_INFINITY);
    return undefined;
  }

  forget(name: string): void {
    this.#since.delete(name);
  }
}
