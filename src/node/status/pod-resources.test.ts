import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceRequirements } from "#kube/generated/types";
import { podOf } from "../testing/views.ts";
import type { Phase } from "./phase.ts";
import { podResources } from "./pod-resources.ts";

const one = { cpu: "100m", memory: "64Mi" };
const two = { cpu: "200m", memory: "128Mi" };

const cases: readonly [
  name: string,
  of: readonly ResourceRequirements[],
  phase: Phase,
  want: ReturnType<typeof podResources>,
][] = [
  ["nothing asked for", [{}, {}], "Running", { resources: {} }],
  [
    "limits of one of two, before it runs",
    [{ requests: one, limits: two }, {}],
    "Pending",
    { resources: { requests: one, limits: two }, allocatedResources: one },
  ],
  [
    "limits of one of two, running",
    [{ requests: one, limits: two }, {}],
    "Running",
    { resources: { requests: one }, allocatedResources: one },
  ],
  [
    "limits of both, running",
    [
      { requests: one, limits: one },
      { requests: one, limits: one },
    ],
    "Running",
    { resources: { requests: two, limits: two }, allocatedResources: two },
  ],
];

for (const [name, of, phase, want] of cases)
  test(`what a pod has as a whole: ${name}`, () => {
    const containers = of.map((resources, i) => ({ name: `c${i}`, resources }));
    assert.deepEqual(podResources(podOf({ containers }), { phase }), want);
  });
