import assert from "node:assert/strict";
import { test } from "node:test";
import { Stored } from "../cache/stored.ts";
import { configMaps } from "../kinds/core/config.ts";
import type { KindSpec } from "../kinds/kind.ts";
import { pods } from "../kinds/pod/pod.ts";
import { parseSelection } from "./selection.ts";

const pod = {
  metadata: { name: "p", namespace: "n", labels: { app: "web" } },
  spec: { nodeName: "a,b", containers: [] },
  status: { phase: "Running" },
};

const cases: readonly [string, boolean | RegExp, KindSpec?][] = [
  ["labelSelector=app=web", true],
  ["labelSelector=app in (web,db),!old", true],
  ["labelSelector=app!=web", false],
  ["labelSelector==", /unable to parse requirement/],
  ["fieldSelector=status.phase=Running,metadata.name=p", true],
  ["fieldSelector=status.phase!=Running", false],
  ["fieldSelector=spec.nodeName=a\\,b", true],
  ["fieldSelector=metadata.name!=p", false],
  ["fieldSelector=metadata.namespace=n", true],
  ["fieldSelector=spec.foo=1", /^field label not supported: spec.foo$/],
  [
    "fieldSelector=spec.foo=1",
    /is not a known field selector: only "metadata.name", "metadata.namespace"/,
    configMaps,
  ],
  ["fieldSelector=what", /^invalid selector: 'what'; can't understand 'what'$/],
];

for (const [query, want, spec = pods as KindSpec] of cases)
  test(`${query} on ${spec.resource.plural}`, () => {
    const [name = "", ...value] = query.split("=");
    const run = () =>
      parseSelection(spec, new URLSearchParams([[name, value.join("=")]]), { namespace: "n" });
    if (want instanceof RegExp) return assert.throws(run, { message: want });
    assert.equal(run().matches?.(new Stored("n/p", 1, JSON.stringify(pod))) ?? true, want);
  });
