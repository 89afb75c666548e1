import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, ResourceRequirements } from "#kube/generated/types";
import { podOf } from "../testing/views.ts";
import { Resizes } from "./resizes.ts";

function pod(resources: ResourceRequirements, generation: number): Pod {
  const made = podOf({ containers: [{ name: "main", resources }] });
  return { ...made, metadata: { ...made.metadata, generation } };
}

const small = { requests: { memory: "1Mi", cpu: "1m" } };
const large = { requests: { memory: "2Mi", cpu: "2m" }, limits: { cpu: "2m" } };
const summary = (generation: number, error = "") =>
  `{"containers":[{"name":"main","resources":{"limits":{"cpu":"2m"},"requests":{"cpu":"2m","memory":"2Mi"}}}],"generation":${generation}${error}}`;

test("a resize is told when it starts and when every run has what it is allotted", () => {
  const resizes = new Resizes(pod(small, 1));
  resizes.take(pod(small, 1), () => undefined);
  assert.deepEqual(resizes.takeNews(pod(small, 1), { isDone: true }), []);
  const changed = resizes.take(pod(large, 2), () => undefined);
  assert.deepEqual(resizes.takeNews(changed, { isDone: false }), [
    { type: "Normal", reason: "ResizeStarted", message: `Pod resize started: ${summary(2)}` },
  ]);
  assert.deepEqual(resizes.takeNews(changed, { isDone: true }), [
    { type: "Normal", reason: "ResizeCompleted", message: `Pod resize completed: ${summary(2)}` },
  ]);
  assert.deepEqual(resizes.takeNews(changed, { isDone: true }), []);
});

test("a resize that has to wait is told once for each reason", () => {
  const resizes = new Resizes(pod(small, 1));
  resizes.take(pod(small, 1), () => undefined);
  const wait = () => resizes.take(pod(large, 2), () => ({ reason: "Deferred" as const, message: "full" }));
  wait();
  const held = wait();
  assert.deepEqual(resizes.takeNews(held, { isDone: true }), [
    {
      type: "Warning",
      reason: "ResizeDeferred",
      message: `Pod resize Deferred: ${summary(2, ',"error":"full"')}`,
    },
  ]);
  wait();
  assert.deepEqual(resizes.takeNews(held, { isDone: true }), []);
});
