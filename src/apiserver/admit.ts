import type { KubeObject } from "#kube/object";
import type { Draft, KindSpec, WriteContext } from "./kinds/kind.ts";

/** One write on its way in, as admission sees it. */
export interface AdmissionRequest {
  readonly operation: "create" | "update" | "delete";
  readonly spec: KindSpec;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  /** Empty while a generated name is not yet made. */
  readonly name: string;
  /** What is to be stored; the stored object itself on a delete. `mutate` may change it in place. */
  readonly draft: Draft;
  readonly stored: KubeObject | undefined;
}

/** One link of admission: it refuses by throwing `StatusFault`. All `mutate`s run before any `validate`. */
export interface Admission {
  readonly name: string;
  readonly mutate?: (request: AdmissionRequest, context: WriteContext) => void;
  readonly validate?: (request: AdmissionRequest, context: WriteContext) => void;
}
