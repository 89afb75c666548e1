import type { Pod } from "#kube/generated/types";
import { ageOf } from "../print/age.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { NONE } from "../print/words.ts";
import { type PodStatusLine, podStatus } from "./status-text.ts";

export const podPrinter = printer<Pod>([
  nameColumn,
  text("Ready", (pod) => {
    const { ready, total } = lineOf(pod);
    return `${ready}/${total}`;
  }),
  text("Status", (pod) => lineOf(pod).text),
  text("Restarts", restartsText),
  ageColumn,
  wide("IP", ({ status }) => status?.podIPs?.[0]?.ip || status?.podIP || NONE),
  wide("Node", ({ spec }) => spec?.nodeName || NONE),
  wide("Nominated Node", ({ status }) => status?.nominatedNodeName || NONE),
  wide("Readiness Gates", gatesText),
]);

/** Three columns of a row ask for the same line; stored objects never change. */
const lines = new WeakMap<Pod, PodStatusLine>();

function lineOf(pod: Pod): PodStatusLine {
  const known = lines.get(pod);
  if (known !== undefined) return known;
  const line = podStatus(pod);
  lines.set(pod, line);
  return line;
}

/** How often containers restarted, and how long ago the last one ended. */
function restartsText(pod: Pod, now: number): string {
  const { restarts, lastRestart } = lineOf(pod);
  return restarts === 0 || lastRestart === undefined
    ? String(restarts)
    : `${restarts} (${ageOf(lastRestart, now)} ago)`;
}

function gatesText({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return NONE;
  const open = gates.filter(({ conditionType }) =>
    status?.conditions?.some(({ type, status: value }) => type === conditionType && value === "True"),
  );
  return `${open.length}/${gates.length}`;
}
