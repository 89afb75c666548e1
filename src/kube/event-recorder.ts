import { asError } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { hasCause, isApiFault } from "./api-fault.ts";
import type { KubeClient } from "./client.ts";
import { EventNames, referenceTo } from "./event-names.ts";
import type { Event, ObjectReference } from "./generated/types.ts";
import type { KubeObject } from "./object.ts";
import { EVENTS } from "./resources.ts";

export interface EventNote {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  /** Such as `spec.containers{web}`. */
  readonly fieldPath?: string;
}

export interface EventRecorder {
  /** Notes it in the background, in order; an event that cannot be written is dropped. */
  record(object: KubeObject, note: EventNote): void;
  /** Resolves once everything recorded so far was sent or dropped. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  readonly component: string;
  readonly host?: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const MAX_KEYS = 4096;
const MAX_WAITING = 1000;
const MAX_MESSAGE = 1024;
const AGGREGATE_AFTER = 10;
const AGGREGATE_WINDOW_MS = 600_000;
const BURST = 25;
const REFILL_MS = 300_000;
const MAX_NAMES = 5;

interface Written {
  readonly name: string;
  readonly namespace: string;
  count: number;
}
interface Similar {
  readonly messages: Set<string>;
  since: number;
}
interface Bucket {
  tokens: number;
  at: number;
}

/** Writes core/v1 Events the way client-go does: repeats raise `count`, more than ten alike become one, and one object may
 *  not flood. @see client-go tools/record/events_cache.go */
export function openEventRecorder(client: KubeClient, options: EventRecorderOptions): EventRecorder {
  return new Recorder(client, options);
}

class Recorder implements EventRecorder {
  readonly #client: KubeClient;
  readonly #options: EventRecorderOptions;
  readonly #names: EventNames;
  readonly #written = new Map<string, Written>();
  readonly #similar = new Map<string, Similar>();
  readonly #buckets = new Map<string, Bucket>();
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(client: KubeClient, options: EventRecorderOptions) {
    this.#client = client;
    this.#options = options;
    this.#names = new EventNames(options.clock);
  }

  record(object: KubeObject, note: EventNote): void {
    if (this.#options.signal.aborted || this.#waiting >= MAX_WAITING) return;
    const involved = referenceTo(object, note.fieldPath);
    if (!this.#admits(subjectKey(involved))) return;
    this.#waiting++;
    this.#tail = this.#tail.then(() => this.#write(involved, note)).finally(() => void this.#waiting--);
  }

  flush(): Promise<void> {
    return this.#tail;
  }

  async #write(involved: ObjectReference, note: EventNote): Promise<void> {
    if (this.#options.signal.aborted) return;
    const { key, message } = this.#aggregate(involved, note);
    try {
      const before = this.#written.get(key);
      if (before === undefined || !(await this.#repeat(key, before, message)))
        await this.#first(key, involved, { ...note, message });
    } catch (error) {
      if (this.#options.signal.aborted) return;
      if (isApiFault(error) && hasCause(error, "NamespaceTerminating")) return;
      this.#options.log.debug("an event was dropped", { reason: note.reason, error: asError(error) });
    }
  }

  async #first(key: string, involvedObject: ObjectReference, note: EventNote): Promise<void> {
    const { clock, component, host } = this.#options;
    const time = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    const event: Omit<Event, "metadata"> = {
      involvedObject,
      type: note.type,
      reason: note.reason,
      message: note.message,
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component, ...(host ? { host } : {}) },
      reportingComponent: component,
      reportingInstance: host ?? "",
    };
    const named = await this.#create(event);
    remember(this.#written, key, { ...named, count: 1 });
  }

  /** Others count from the same clock: a name that is taken was one of theirs. */
  async #create(event: Omit<Event, "metadata">): Promise<{ name: string; namespace: string }> {
    for (let tries = 1; ; tries++) {
      const metadata = this.#names.next(event.involvedObject);
      try {
        await this.#client.create(EVENTS, { ...event, metadata });
        return metadata;
      } catch (error) {
        if (tries === MAX_NAMES || !isApiFault(error, "AlreadyExists")) throw error;
      }
    }
  }

  /** False when the event is no longer there (it expired): then it is the first one again. */
  async #repeat(key: string, before: Written, message: string): Promise<boolean> {
    const lastTimestamp = new Date(this.#options.clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
    const patch = { count: before.count + 1, lastTimestamp, message };
    try {
      await this.#client.patch(EVENTS, before, patch, { type: "merge" });
      before.count++;
      remember(this.#written, key, before);
      return true;
    } catch (error) {
      this.#written.delete(key);
      if (isApiFault(error, "NotFound")) return false;
      throw error;
    }
  }

  #aggregate(involved: ObjectReference, note: EventNote): { key: string; message: string } {
    const group = `${subjectKey(involved)}|${involved.fieldPath ?? ""}|${note.type}|${note.reason}`;
    const message = note.message.slice(0, MAX_MESSAGE);
    const now = this.#options.clock.now();
    let similar = this.#similar.get(group);
    if (similar === undefined || now - similar.since > AGGREGATE_WINDOW_MS)
      similar = { messages: new Set(), since: now };
    similar.since = now;
    if (similar.messages.size < AGGREGATE_AFTER) similar.messages.add(message);
    remember(this.#similar, group, similar);
    if (similar.messages.size < AGGREGATE_AFTER) return { key: `${group}|${message}`, message };
    return { key: group, message: `(combined from similar events): ${message}` };
  }

  #admits(subject: string): boolean {
    const now = this.#options.clock.now();
    const bucket = this.#buckets.get(subject) ?? { tokens: BURST, at: now };
    bucket.tokens = Math.min(BURST, bucket.tokens + (now - bucket.at) / REFILL_MS);
    bucket.at = now;
    remember(this.#buckets, subject, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

function subjectKey({ kind, namespace, name, uid }: ObjectReference): string {
  return `${kind}|${namespace ?? ""}|${name}|${uid ?? ""}`;
}

/** Puts the entry last and forgets the oldest ones beyond the bound. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= MAX_KEYS) return;
    map.delete(oldest);
  }
}
