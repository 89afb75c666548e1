import { isDeepStrictEqual } from "node:util";
import type { Conntrack, ConntrackFlow } from "../kernel.ts";

/** Tracked connections that tests put there. */
export class FakeConntrack implements Conntrack {
  #flows: ConntrackFlow[] = [];

  track(flow: ConntrackFlow): void {
    this.#flows.push(flow);
  }

  listFlows({ family, protocol, toPort }: Parameters<Conntrack["listFlows"]>[0]): readonly ConntrackFlow[] {
    return this.#flows.filter(
      (flow) =>
        flow.family === family &&
        flow.protocol === protocol &&
        (toPort === undefined || flow.original.destinationPort === toPort),
    );
  }

  deleteFlow(flow: ConntrackFlow): void {
    this.#flows = this.#flows.filter((standing) => !isDeepStrictEqual(standing, flow));
  }

  [Symbol.dispose](): void {}
}
