import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "#addr/cidr";
import { conform } from "../codec/conform.ts";
import type { JsonObject } from "../json.ts";
import { DEFINITIONS } from "../schema.ts";
import { fieldErrorBody } from "../status.ts";
import { openKinds } from "./all.ts";
import { validateMeta, validateMetaUpdate } from "./field/meta.ts";
import type { Draft, FieldError, KindSpec, Part } from "./kind.ts";
import { RandomObjects } from "./testing/random-object.ts";
import { emptyContext } from "./testing/write.ts";

const ROUNDS = 150;
const PARTS: readonly Part[] = ["status", "ephemeralcontainers", "resize", "finalize"];
const { kinds } = openKinds({
  serviceCidrs: [parseCidr("10.43.0.0/16"), parseCidr("fd00:43::/112")],
  nodePortRange: { from: 30000, to: 32767 },
  clusterDomain: "cluster.local",
});

for (const kind of kinds.filter(({ definition }) => DEFINITIONS[definition] !== undefined))
  test(`${kind.resource.kind} ${kind.resource.version}: whatever is posted is taken or refused, never a fault of ours`, () => {
    const seed = [...kind.definition].reduce((sum, char) => sum * 31 + char.charCodeAt(0), 7) >>> 0;
    const random = new RandomObjects(seed);
    for (let round = 0; round < ROUNDS; round++) {
      const posted = random.object(kind.definition);
      const text = JSON.stringify(posted);
      try {
        const stored = write(kind, posted, undefined);
        // what a definition's update is compared with has been checked before
        if (kind.resource.kind !== "CustomResourceDefinition")
          write(kind, random.mutate(posted, kind.definition), stored);
      } catch (error) {
        throw new Error(`round ${round}: ${text}`, { cause: error });
      }
    }
  });

/** What a create, or an update of `stored`, runs of the kind; all errors must be sayable. */
function write(kind: KindSpec, posted: JsonObject, stored: Draft): Draft {
  const context = emptyContext();
  const { value } = conform(structuredClone(posted), kind.definition);
  const draft: Draft = value;
  draft.metadata = { ...draft.metadata, name: draft.metadata?.name || "x", uid: "u" };
  kind.defaults?.(draft, context);
  if (stored === undefined) kind.prepareCreate?.(draft, context);
  else kind.prepareUpdate?.(draft, stored, context);
  const errors: FieldError[] = [...validateMeta(kind, draft), ...(kind.validate?.(draft, context) ?? [])];
  if (stored === undefined) errors.push(...(kind.validateCreate?.(draft, context) ?? []));
  else {
    errors.push(
      ...validateMetaUpdate(draft, stored),
      ...(kind.validateUpdate?.(draft, stored, context) ?? []),
    );
    for (const part of PARTS) errors.push(...(kind.validatePart?.(part, draft, stored, context) ?? []));
  }
  if (errors.length === 0) errors.push(...(kind.allocate?.(draft, stored, context) ?? []));
  for (const error of errors) assert.equal(typeof fieldErrorBody(error), "string");
  for (const warning of kind.warnings?.(draft, stored) ?? []) assert.equal(typeof warning, "string");
  kind.cells(draft, Date.now());
  kind.selectableFields?.(draft);
  kind.scale?.selector(draft);
  return draft;
}
