import { ApiFault } from "../api-fault.ts";
import type { ListOptions } from "../client.ts";
import { matchesSelector, parseSelector } from "../label-selector.ts";
import { type KubeObject, keyOf, type Resource, type WatchEvent } from "../object.ts";

interface Entry {
  readonly revision: number;
  readonly resource: string;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
}

/** Objects and their history under one revision counter, with the watch semantics of kube-apiserver. */
export class FakeStore {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #log: Entry[] = [];
  readonly #wakers = new Set<() => void>();
  #compacted = 0;
  revision = 1;

  get(resource: Resource, key: string): KubeObject | undefined {
    return this.#objects.get(nameOf(resource))?.get(key);
  }

  list(resource: Resource, options: ListOptions): readonly KubeObject[] {
    const matches = matcher(options);
    const objects = [...(this.#objects.get(nameOf(resource))?.values() ?? [])];
    return objects.filter(matches).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** Stores `object` under the next revision, deep-frozen, and tells the watchers. */
  put(resource: Resource, object: KubeObject): KubeObject {
    const name = nameOf(resource);
    const objects = this.#objects.get(name) ?? new Map<string, KubeObject>();
    this.#objects.set(name, objects);
    const key = keyOf(object);
    const before = objects.get(key);
    const stored = deepFreeze(stamped(object, ++this.revision));
    objects.set(key, stored);
    this.#append({ revision: this.revision, resource: name, before, after: stored });
    return stored;
  }

  remove(resource: Resource, object: KubeObject): KubeObject {
    const name = nameOf(resource);
    this.#objects.get(name)?.delete(keyOf(object));
    const gone = deepFreeze(stamped(object, ++this.revision));
    this.#append({ revision: this.revision, resource: name, before: gone, after: undefined });
    return gone;
  }

  /** Forgets history, so that watches from older revisions are told "Expired". */
  compact(): void {
    this.#log.length = 0;
    this.#compacted = this.revision;
  }

  async *watch(
    resource: Resource,
    options: ListOptions & { resourceVersion: string; signal: AbortSignal },
    dropped: AbortSignal,
  ): AsyncGenerator<WatchEvent<KubeObject>> {
    const signal = AbortSignal.any([options.signal, dropped]);
    const matches = matcher(options);
    let from = Number(options.resourceVersion);
    while (!signal.aborted) {
      if (from < this.#compacted) throw expired(from, this.#compacted);
      for (const entry of this.#log.slice(this.#indexAfter(from))) {
        from = entry.revision;
        if (entry.resource !== nameOf(resource)) continue;
        const event = eventOf(entry, matches);
        if (event) yield event;
        if (signal.aborted) return;
      }
      if ((this.#log.at(-1)?.revision ?? 0) <= from) await this.#news(signal);
    }
  }

  #append(entry: Entry): void {
    this.#log.push(entry);
    for (const wake of this.#wakers) wake();
  }

  #indexAfter(revision: number): number {
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#log[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  async #news(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wakers.add(resolve);
    const stop = () => resolve();
    signal.addEventListener("abort", stop, { once: true });
    await promise;
    signal.removeEventListener("abort", stop);
    this.#wakers.delete(resolve);
  }
}

function nameOf(resource: Resource): string {
  return `${resource.plural}.${resource.group}`;
}

function stamped(object: KubeObject, revision: number): KubeObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}

function eventOf(entry: Entry, matches: (object: KubeObject) => boolean): WatchEvent<KubeObject> | undefined {
  const matched = entry.before !== undefined && matches(entry.before);
  const { before, after, revision } = entry;
  if (after !== undefined && matches(after)) return { type: matched ? "MODIFIED" : "ADDED", object: after };
  if (matched && before !== undefined) return { type: "DELETED", object: stamped(before, revision) };
  return undefined;
}

function matcher(options: ListOptions): (object: KubeObject) => boolean {
  const selector = options.labelSelector === undefined ? {} : parseSelector(options.labelSelector);
  const fields = (options.fieldSelector ?? "").split(",").filter((term) => term !== "");
  return (object) =>
    (options.namespace === undefined || object.metadata.namespace === options.namespace) &&
    matchesSelector(selector, object.metadata.labels) &&
    fields.every((term) => matchesField(term, object));
}

function matchesField(term: string, object: KubeObject): boolean {
  const match = /^([\w.]+)(!=|==|=)(.*)$/.exec(term);
  if (!match) throw new ApiFault("BadRequest", `invalid selector: '${term}'`, { status: 400 });
  const [, path = "", operator, wanted] = match;
  let value: unknown = object;
  for (const key of path.split("."))
    value = typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  return (String(value ?? "") === wanted) === (operator !== "!=");
}

function expired(from: number, oldest: number): ApiFault {
  return new ApiFault("Expired", `too old resource version: ${from} (${oldest})`, { status: 410 });
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
