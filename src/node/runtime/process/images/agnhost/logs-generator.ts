import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Fault } from "#fault/fault";
import { type Subcommand, say } from "./subcommand.ts";

const METHODS = ["GET", "POST", "PUT"] as const;
const NAMESPACES = ["kube-system", "default", "ns"] as const;

export const logsGenerator: Subcommand = {
  summary: "Writes so many lines of log, evenly over a time",
  flags: [
    { name: "log-lines-total", kind: "number", fallback: "0", help: "How many lines there are in the end" },
    { name: "run-duration", kind: "duration", fallback: "0s", help: "How long it takes" },
  ],
  async run({ flags, signal }) {
    const total = flags.number("log-lines-total");
    const waitMs = flags.durationMs("run-duration") / total;
    if (total <= 0) throw new Fault("Usage", `invalid total number of lines: ${total}`);
    if (waitMs <= 0) throw new Fault("Usage", `invalid duration: ${flags.text("run-duration")}`);
    for (let id = 0; id < total && !signal.aborted; id++) {
      say(requestLine(id));
      await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    }
    return 0;
  },
};

/** A line such as an API server might write: `7 GET /api/v1/namespaces/ns/pods/k3f 404`. */
function requestLine(id: number): string {
  const pick = (from: readonly string[]) => from[randomInt(from.length)] ?? "";
  const pod = randomInt(36 ** 3, 36 ** 4).toString(36);
  return `${id} ${pick(METHODS)} /api/v1/namespaces/${pick(NAMESPACES)}/pods/${pod} ${randomInt(200, 600)}`;
}
