import type { KubeObject } from "#kube/object";
import { apiVersionOf } from "#kube/object";
import { isObject, type JsonObject, objectAt } from "../json.ts";
import type { KindSpec } from "../kinds/kind.ts";

type Labels = Readonly<Record<string, string>>;

const NONE: Labels = {};

/** One state of one object, as the cache holds it: text made once, sent to every reader; read as an object only when someone asks. */
export class Stored<T extends KubeObject = KubeObject> {
  /** `namespace/name`, or the bare name of a cluster-scoped object. */
  readonly key: string;
  readonly revision: number;
  readonly #text: string;
  /** Where the revision belongs in the text; -1 when it is in there. */
  readonly #versionAt: number;
  /** Held as long as nobody needs the memory: as an object a state takes twice its text again. */
  #object: WeakRef<T> | undefined;
  #labels: Labels | undefined;

  /** `text` is complete JSON; with `versionAt`, what is stored, whose revision is still to be put there. */
  constructor(key: string, revision: number, text: string, versionAt = -1) {
    this.key = key;
    this.revision = revision;
    this.#text = text;
    this.#versionAt = versionAt;
  }

  /** What clients get: complete JSON. Put together for each, since most states are sent rarely and all are held. */
  get text(): string {
    return this.from(0);
  }

  /** The text from an index on that is not behind the revision. */
  from(start: number): string {
    const at = this.#versionAt;
    return at < 0
      ? this.#text.slice(start)
      : this.#text.slice(start, at) + this.revision + this.#text.slice(at);
  }

  /** How long the text is, the revision aside. */
  get length(): number {
    return this.#text.length;
  }

  /** Shared by everyone: never changed. */
  get object(): T {
    const known = this.#object?.deref();
    if (known !== undefined) return known;
    const made = this.#parse() as unknown as T;
    this.#object = new WeakRef(made);
    return made;
  }

  /** Takes what the text was made from, which nobody changes any more: reading it again would cost as much as writing it did. */
  adopt(object: JsonObject): void {
    const metadata = objectAt(object, "metadata");
    if (metadata === undefined) return;
    metadata["resourceVersion"] = String(this.revision);
    // What the kind's format has made is an object of the kind.
    this.#object = new WeakRef(object as unknown as T);
  }

  /** Kept once they have been looked at: selectors look at the labels of many states, again and again. */
  get labels(): Labels {
    this.#labels ??= this.object.metadata.labels ?? NONE;
    return this.#labels;
  }

  /** `metadata.name`, which the key ends with. */
  get name(): string {
    return this.key.slice(this.key.indexOf("/") + 1);
  }

  /** A private copy to change. */
  draft(): JsonObject {
    return this.#parse();
  }

  #parse(): JsonObject {
    const object = JSON.parse(this.#text) as JsonObject;
    const metadata = object["metadata"];
    if (this.#versionAt >= 0 && isObject(metadata)) metadata["resourceVersion"] = String(this.revision);
    return object;
  }
}

const VERSION_START = '"resourceVersion":"';
const VERSION_FIELD = '"metadata":{"resourceVersion":"';

/** How one kind's objects are written: everything up to the resourceVersion is the same for all of them, so that a stored text becomes
 *  a client's text by putting the revision in its place. */
export class Format {
  readonly head: string;
  readonly #itemStart: number;
  readonly #listsWhole: boolean;
  readonly #apiVersion: string;
  readonly #kind: string;

  constructor(spec: KindSpec) {
    this.#apiVersion = apiVersionOf(spec.resource);
    this.#kind = spec.resource.kind;
    const start = `{"kind":${JSON.stringify(this.#kind)},"apiVersion":${JSON.stringify(this.#apiVersion)},`;
    this.head = `${start}"metadata":{"resourceVersion":"`;
    this.#itemStart = start.length;
    this.#listsWhole = spec.custom !== undefined;
  }

  /** The text to store, with an empty resourceVersion. */
  encode(draft: JsonObject): string {
    return JSON.stringify(this.compose(draft));
  }

  /** What the text to store says: its fields in their order. Shares all but its metadata with the draft. */
  compose(draft: JsonObject): JsonObject {
    // A field's place is where it was first put, its value what was put last.
    const metadata: JsonObject = { resourceVersion: "", ...((draft["metadata"] ?? {}) as JsonObject) };
    metadata["resourceVersion"] = "";
    const out: JsonObject = { kind: this.#kind, apiVersion: this.#apiVersion, metadata, ...draft };
    out["kind"] = this.#kind;
    out["apiVersion"] = this.#apiVersion;
    out["metadata"] = metadata;
    return out;
  }

  /** The state that a stored text describes at a revision. */
  decode(key: string, revision: number, value: string): Stored {
    const at = this.#headEnd(value);
    if (at < 0) throw new Error(`broken invariant: ${key} is not stored as ${this.#kind}`);
    return new Stored(key, revision, value, at);
  }

  /** The text of an object that was only tried: nothing has given it a revision. */
  unstored(value: string): string {
    return value.replace(`${this.head}",`, this.head.slice(0, -VERSION_START.length));
  }

  /** The object as it stands in a list: without kind and apiVersion, unless it is a custom one. */
  item(stored: Stored): string {
    return this.#listsWhole ? stored.text : `{${stored.from(this.#itemStart)}`;
  }

  /** Where the resourceVersion stands: after the head, whose version is an older one in what was stored before the version changed. */
  #headEnd(text: string): number {
    if (text.startsWith(this.head)) return this.head.length;
    const at = text.startsWith('{"kind":') ? text.indexOf(VERSION_FIELD) : -1;
    return at < 0 ? at : at + VERSION_FIELD.length;
  }

  /** The state an object was last in, but with the revision of what happened to it next: what a DELETED event carries. */
  at(stored: Stored, revision: number): string {
    const { text } = stored;
    const at = this.#headEnd(text);
    return text.slice(0, at) + revision + text.slice(text.indexOf('"', at));
  }
}
