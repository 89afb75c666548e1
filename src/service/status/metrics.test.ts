import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "#telemetry/metrics";
import { declareProblemMetrics } from "./metrics.ts";

test("problems are counted by reason when somebody asks, and those that are over are none", () => {
  const metrics = new Metrics();
  const taken = { service: "default/web", reason: "FrontendTaken", message: "another has it" } as const;
  let problems = [taken, { ...taken, service: "default/db" }];
  declareProblemMetrics(metrics, () => problems);
  assert.match(metrics.expose(), /^twill_service_problems\{reason="FrontendTaken"\} 2$/m);
  assert.match(metrics.expose(), /^twill_service_problems\{reason="PortReserved"\} 0$/m);
  problems = [];
  assert.match(metrics.expose(), /^twill_service_problems\{reason="FrontendTaken"\} 0$/m);
});
