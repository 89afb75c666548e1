import type { KubeObject } from "#kube/object";
import type { Draft, KindSpec, WriteContext } from "./kinds/kind.ts";

/** One write on its way in, as admission sees it. */
export interface AdmissionRequest {
  readonly operation: "create" | "update" | "delete" | "connect";
  readonly spec: KindSpec;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  /** Empty while a generated name is not yet made. */
  readonly name: string;
  /** What is to be stored; the stored object itself on a delete. `mutate` may change it in place. */
  readonly draft: Draft;
  readonly stored: KubeObject | undefined;
  /** A part of what was judged as a whole, under its own kind: links that ask what users have set up are not asked again. */
  readonly isJudged?: boolean;
  /** All `mutate`s run a second time, because somebody outside has changed what the first ones had seen. */
  readonly isAgain?: boolean;
}

/** What is known of a write before its object is. */
export type AdmissionTarget = Pick<
  AdmissionRequest,
  "operation" | "spec" | "subresource" | "namespace" | "isJudged"
>;

/** One link of admission: it refuses by throwing `StatusFault`. All `mutate`s run before any `validate`. */
export interface Admission {
  readonly name: string;
  /** It asks what users have set up: webhooks and policies. */
  readonly isDynamic?: true;
  /** Whether this link may ask somebody else about such a write and wait for the answer. The object is then not kept from other writers
   *  meanwhile: who comes second starts over from what the first one left. */
  readonly waits?: (target: AdmissionTarget) => boolean;
  /** "changed": those before may want to see the draft again. */
  readonly mutate?: (
    request: AdmissionRequest,
    context: WriteContext,
  ) => void | "changed" | Promise<void> | Promise<"changed" | undefined>;
  readonly validate?: (request: AdmissionRequest, context: WriteContext) => void | Promise<void>;
  /** Runs after every `validate`, right before the store: takes what the write uses up, which is given back (by disposing) once the write is
   *  stored or given up. */
  readonly reserve?: (request: AdmissionRequest, context: WriteContext) => Disposable | undefined;
}
