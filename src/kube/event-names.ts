import type { Clock } from "#life/clock";
import type { ObjectReference } from "./generated/types.ts";
import type { KubeObject } from "./object.ts";

/** Names for the Events of one recorder, no two alike. */
export class EventNames {
  readonly #clock: Clock;
  #sequence = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Events of objects without a namespace are in `default`. */
  next(involved: ObjectReference): { readonly name: string; readonly namespace: string } {
    // The nanosecond stamp makes the name unique; a millisecond clock leaves six digits for a counter.
    const stamp = BigInt(this.#clock.now()) * 1_000_000n + BigInt(this.#sequence++ % 1_000_000);
    return {
      name: `${involved.name ?? "unknown"}.${stamp.toString(16)}`,
      namespace: involved.namespace ?? "default",
    };
  }
}

/** `fieldPath`: a part of the object, such as `spec.containers{web}`. */
export function referenceTo(object: KubeObject, fieldPath?: string): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    ...(namespace ? { namespace } : {}),
    name,
    uid,
    resourceVersion,
    ...(fieldPath ? { fieldPath } : {}),
  };
}
