import type { Metrics } from "#telemetry/metrics";
import { PROBLEM_REASONS, type ServiceProblem } from "../problems.ts";

/** Declares how many problems there are; they are counted when somebody asks. As many series as there are reasons. */
export function declareProblemMetrics(metrics: Metrics, problems: () => readonly ServiceProblem[]): void {
  metrics.ask("twill_service_problems", "What is wrong with Services on this node, by reason.", {
    type: "gauge",
    values: () => {
      const counts = new Map<string, number>();
      for (const { reason } of problems()) counts.set(reason, (counts.get(reason) ?? 0) + 1);
      return PROBLEM_REASONS.map((reason) => [{ reason }, counts.get(reason) ?? 0]);
    },
  });
}
