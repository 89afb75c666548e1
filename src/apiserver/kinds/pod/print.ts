import type { Pod } from "#kube/generated/types";
import { ageOf } from "../print/age.ts";
import { ageColumn, nameColumn, printer, text, wide } from "../print/printer.ts";
import { NONE } from "../print/words.ts";
import { podStatus } from "./status-text.ts";

export const podPrinter = printer<Pod>([
  nameColumn,
  text("Ready", (pod) => {
    const { ready, total } = podStatus(pod);
    return `${ready}/${total}`;
  }),
  text("Status", (pod) => podStatus(pod).text),
  text("Restarts", restartsText),
  ageColumn,
  wide("IP", ({ status }) => status?.podIPs?.[0]?.ip || status?.podIP || NONE),
  wide("Node", ({ spec }) => spec?.nodeName || NONE),
  wide("Nominated Node", ({ status }) => status?.nominatedNodeName || NONE),
  wide("Readiness Gates", gatesText),
]);

/** How often containers restarted, and how long ago the last one ended. */
function restartsText(pod: Pod, now: number): string {
  const { restarts, lastRestart } = podStatus(pod);
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
