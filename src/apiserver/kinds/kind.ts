import type { KubeObject, ObjectRef, Resource } from "#kube/object";
import type { Clock } from "#life/clock";
import type { OpenApiSchema } from "../discovery/openapi-schema.ts";
import type { JsonObject } from "../json.ts";
import type { FieldType } from "../schema.ts";

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
  | "TooMany"
  /** Nothing that whoever wrote the field can see in it. */
  | "Internal"
  /** Worded as Invalid; its reason tells that not even the type is right. */
  | "TypeInvalid";

/** One thing wrong with a field, as kube-apiserver words it: `path: Invalid value: "x": detail`. */
export interface FieldError {
  readonly type: FieldErrorType;
  /** Such as `spec.ports[0].nodePort`. */
  readonly path: string;
  readonly value?: unknown;
  /** The value is too long to be repeated. */
  readonly omitsValue?: boolean;
  readonly detail: string;
}

/** A half of an object that has a route of its own. */
export type Part = "status" | "ephemeralcontainers" | "resize" | "finalize" | "approval";

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: string;
  /** 1 and more are shown with `-o wide` only. */
  readonly priority: number;
  readonly description?: string;
}

export type Cell = string | number | boolean | null;

/** Who is writing, and when; what strategies and admission may look at. */
export interface WriteContext {
  readonly clock: Clock;
  readonly user: { readonly name: string; readonly groups: readonly string[] };
  readonly dryRun: boolean;
  /** What the request asked for beyond its object, such as `{"kind": "CreateOptions", ...}`. */
  readonly options?: JsonObject;
  /** A consistent read of any other object: from the watch cache, at its newest revision. */
  readonly read: <T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    name: string,
  ) => T | undefined;
  readonly list: <T extends KubeObject>(resource: Resource<T>, namespace?: string) => readonly T[];
  /** Adds a Warning header to the reply. */
  readonly warn: (text: string) => void;
  /** Adds a line to the request's audit record, where one is kept. */
  readonly annotate?: (key: string, value: string) => void;
}

/** How one served version of a resource reads and writes what is stored in another version, or under another group's name: events.k8s.io Events are
 *  stored as core ones, autoscaling/v1 HorizontalPodAutoscalers as v2 ones. Each way gets an object of its own, which it may change and give back;
 *  `apiVersion` need not be set. Metadata stays as it is but for labels and annotations. All other functions of the kind (defaults, validation,
 *  columns, selectable fields) see this version's objects only; `allocate` and `settle` belong to the stored kind and are not called here.
 *  To let the stored kind's rules hold for this version too, make the kind with `convertedKind` of `kinds/converted.ts`. */
export interface Conversion {
  /** The resource that objects are stored as: its group and plural name the kind in the list of kinds that has no conversion. */
  readonly storedAs: Resource;
  /** Whether the functions give promises: only where somebody outside must be asked. Writers are then not kept waiting for each other. */
  readonly waits?: boolean;
  /** An object as this version shows it. `stored` has the apiVersion that it was stored with. @throws {StatusFault} */
  fromStored(stored: Draft): Draft | Promise<Draft>;
  /** The object to store. @throws {StatusFault} */
  toStored(draft: Draft): Draft | Promise<Draft>;
}

/** A body that fits its kind, and what was left out of it. */
export interface Fitted {
  readonly value: JsonObject;
  /** Paths such as `spec.containers[0].foo`. */
  readonly unknown: readonly string[];
}

/** What the machinery must know of a kind that came at run time. */
export interface CustomFacts {
  /** Makes a body an object of the kind: unknown fields are left out. Instead of fitting it to `type`. @throws {MisfitFault} */
  fit(value: JsonObject): Fitted;
  /** The schema to publish, for OpenAPI v2 (3.x keywords and more than one type left out) or v3. */
  openApi(version: 2 | 3): OpenApiSchema;
  /** Its definition is being deleted: discovery shows no verbs that write objects any more. */
  readonly isLeaving: boolean;
}

/** What `/scale` reads and writes: spec.replicas and status.replicas where nothing else is said. `selector` prints the label selector. */
export interface ScaleAccess<T extends KubeObject = KubeObject> {
  selector(object: T): string;
  /** Undefined when the object does not say. */
  replicas?(object: T): number | undefined;
  statusReplicas?(object: T): number;
  setReplicas?(draft: Draft, replicas: number): void;
  /** Where `replicas` stand, for messages: `.spec.replicas`. */
  readonly specPath?: string;
}

/** Everything that makes one kind of the API different from another. The machinery (verbs, watch, patch, discovery) is the same.
 *  Its functions are methods, not properties, so that a list of kinds may hold every T. The order of a write: decode, defaults, admission, defaults,
 *  prepare, validate (validateMeta of `field/meta.ts` first), allocate, store, settle. */
export interface KindSpec<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  /** The schema's name in the OpenAPI document, such as `io.k8s.api.core.v1.Pod`. */
  readonly definition: string;
  /** What its fields are, where no definition of that name is in `generated/schema.json`. */
  readonly type?: FieldType;
  /** Set when this version is not the one that is stored. */
  readonly conversion?: Conversion;
  /** Set for what a CustomResourceDefinition defines. */
  readonly custom?: CustomFacts;
  readonly singular: string;
  /** What a list of them is called, when not by the kind's name and `List`. */
  readonly listKind?: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  /** Told in a Warning header to whoever uses the kind: what replaces it. */
  readonly deprecation?: string;
  /** Has a `/status` route: the main route then keeps the stored status, and `/status` keeps all else. */
  readonly hasStatus: boolean;
  /** What makes `metadata.generation` grow. */
  readonly generation:
    | "spec"
    | "spec-and-annotations"
    | "outside-metadata"
    | "labels-and-outside-metadata"
    | "all-but-metadata"
    | "none";
  /** PUT to a missing name creates. */
  readonly createsOnUpdate: boolean;
  /** PUT without a resourceVersion is refused. */
  readonly requiresVersion: boolean;
  /** DELETE answers with the object, not a Status, even when it is gone. */
  readonly deleteReturnsObject: boolean;
  readonly nameRule: "subdomain" | "label" | "service" | "path-segment" | "ip" | "any";
  /** `/scale`. */
  readonly scale?: ScaleAccess<T>;

  /** Fills what the caller left out; runs on creates, updates and after every patch. */
  defaults?(draft: Draft, context: WriteContext): void;
  /** Resets what a caller may not set, and computes. Runs once on create, after defaulting and admission; takes nothing that must be given back. */
  prepareCreate?(draft: Draft, context: WriteContext): void;
  /** Main route only; the stored status is back in the draft by then. */
  prepareUpdate?(draft: Draft, stored: T, context: WriteContext): void;
  /** `/status` only; all else of the stored object is back in the draft by then. */
  prepareStatus?(draft: Draft, stored: T, context: WriteContext): void;
  validate?(object: T, context: WriteContext): readonly FieldError[];
  /** What only a new object may not have, beyond what `validate` (which runs too) finds. */
  validateCreate?(object: T, context: WriteContext): readonly FieldError[];
  /** What an update may not do, beyond what `validate` (which runs too) finds in its result. */
  validateUpdate?(object: T, stored: T, context: WriteContext): readonly FieldError[];
  /** What a write to one part of the object (`status`, ...) may not do. The checks above do not run for it. */
  validatePart?(part: Part, object: T, stored: T, context: WriteContext): readonly FieldError[];
  /** What is legal and yet most likely a mistake: told to whoever wrote it, in Warning headers. `stored` is undefined on create. */
  warnings?(object: T, stored: T | undefined): readonly string[];
  /** Takes what the object needs of what there is only once (addresses, ports) and writes it into the draft. Runs last before the store's write,
   *  on a draft that validated; `stored` is undefined on create. Errors are answered like those of validate. */
  allocate?(draft: Draft, stored: T | undefined, context: WriteContext): readonly FieldError[];
  /** What a delete does to an object that it does not remove at once. */
  readonly deletion?: {
    /** Held by these from then on. */
    readonly finalizers: readonly string[];
    /** `now` in milliseconds. */
    mark?(draft: Draft, now: number): void;
  };
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
