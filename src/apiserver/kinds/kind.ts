import type { KubeObject, ObjectRef, Resource } from "#kube/object";
import type { Clock } from "#life/clock";

/** An object on its way in: plain JSON that defaulting and preparing may change in place. */
// biome-ignore lint/suspicious/noExplicitAny: a draft is JSON whose shape the schema check has proved, not the type system
export type Draft = any;

export type FieldErrorType =
  | "Required"
  | "Invalid"
  | "NotSupported"
  | "Duplicate"
  | "Forbidden"
  | "NotFound"
  | "TooLong"
  | "TooMany";

/** One thing wrong with a field, as kube-apiserver words it: `path: Invalid value: "x": detail`. */
export interface FieldError {
  readonly type: FieldErrorType;
  /** Such as `spec.ports[0].nodePort`. */
  readonly path: string;
  readonly value?: unknown;
  readonly detail: string;
}

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "boolean" | "date";
  readonly format?: "name";
  /** 1 is shown with `-o wide` only. */
  readonly priority: 0 | 1;
}

export type Cell = string | number | boolean | null;

/** Who is writing, and when; what strategies and admission may look at. */
export interface WriteContext {
  readonly clock: Clock;
  readonly user: { readonly name: string; readonly groups: readonly string[] };
  readonly dryRun: boolean;
  /** A consistent read of any other object: from the watch cache, at its newest revision. */
  readonly read: <T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
  ) => T | undefined;
  readonly list: <T extends KubeObject>(resource: Resource<T>, namespace?: string) => readonly T[];
  /** Adds a Warning header to the reply. */
  readonly warn: (text: string) => void;
}

/** Everything that makes one kind of the API different from another. The machinery (verbs, watch, patch, discovery) is the same.
 *  Its functions are methods, not properties, so that a list of kinds may hold every T. The order of a write: decode, defaults, admission, defaults,
 *  prepare, validate (validateMeta of `field/meta.ts` first), allocate, store, settle. */
export interface KindSpec<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  /** The schema's name in the OpenAPI document, such as `io.k8s.api.core.v1.Pod`. */
  readonly definition: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  /** Has a `/status` route: the main route then keeps the stored status, and `/status` keeps all else. */
  readonly hasStatus: boolean;
  /** What makes `metadata.generation` grow. */
  readonly generation: "spec" | "spec-and-annotations" | "outside-metadata" | "none";
  /** PUT to a missing name creates. */
  readonly createsOnUpdate: boolean;
  /** PUT without a resourceVersion is refused. */
  readonly requiresVersion: boolean;
  /** DELETE answers with the object, not a Status, even when it is gone. */
  readonly deleteReturnsObject: boolean;
  readonly nameRule: "subdomain" | "label" | "service" | "path-segment";
  /** `/scale` over spec.replicas and status.replicas; `selector` prints the label selector. */
  readonly scale?: { selector(object: T): string };

  /** Fills what the caller left out; runs on creates, updates and after every patch. */
  defaults?(draft: Draft, context: WriteContext): void;
  /** Resets what a caller may not set, and computes. Runs once on create, after defaulting and admission; takes nothing that must be given back. */
  prepareCreate?(draft: Draft, context: WriteContext): void;
  /** Main route only; the stored status is back in the draft by then. */
  prepareUpdate?(draft: Draft, stored: T, context: WriteContext): void;
  validate?(object: T, context: WriteContext): readonly FieldError[];
  /** What an update may not do, beyond what `validate` (which runs too) finds in its result. */
  validateUpdate?(object: T, stored: T, context: WriteContext): readonly FieldError[];
  /** Takes what the object needs of what there is only once (addresses, ports) and writes it into the draft. Runs last before the store's write,
   *  on a draft that validated; `stored` is undefined on create. Errors are answered like those of validate. */
  allocate?(draft: Draft, stored: T | undefined, context: WriteContext): readonly FieldError[];
  /** Makes what is taken for `ref` equal to what `stored` holds (undefined: there is no such object). The machinery calls it for every object at
   *  start, before the first write, and after every write, delete or dry run that reached `allocate`, done or not, with what the store then holds.
   *  Writes to a kind that has it run one at a time, from `allocate` to `settle`. */
  settle?(ref: ObjectRef, stored: T | undefined): void;
  /** Field selectors beyond metadata.name and metadata.namespace. */
  selectableFields?(object: T): Readonly<Record<string, string>>;
  readonly columns: readonly Column[];
  /** One cell a column. */
  cells(object: T, now: number): readonly Cell[];
}
