import { asError } from "#fault/fault";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { hasCause, isApiFault } from "./api-fault.ts";
import type { KubeClient } from "./client.ts";
import { EventNames, referenceTo } from "./event-names.ts";
import type { Event, ObjectReference } from "./generated/types.ts";
import type { KubeObject } from "./object.ts";
import { EVENTS } from "./resources.ts";

export interface SeriesNote {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  /** What was tried, such as `Binding`. */
  readonly action: string;
  readonly message: string;
  /** Another object that had to do with it. */
  readonly related?: KubeObject;
}

export interface SeriesRecorder {
  /** Notes it in the background, in order; an event that cannot be written is dropped. */
  record(regarding: KubeObject, note: SeriesNote): void;
}

export interface SeriesRecorderOptions {
  readonly component: string;
  /** Tells several of this component apart. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const MAX_WAITING = 1000;
/** After so long without another one a series is over. */
const OVER_MS = 360_000;

interface Series {
  readonly namespace: string;
  readonly name: string;
  readonly event: Event;
  count: number;
  lastAt: number;
  /** What the API was told. */
  written: number;
}

/** Writes Events as events.k8s.io means them: the same again, on the same state of the object, makes a series of the first one, whose final
 *  count is written when it is over. @see client-go tools/events/event_broadcaster.go */
export function openSeriesRecorder(client: KubeClient, options: SeriesRecorderOptions): SeriesRecorder {
  const recorder = new Recorder(client, options);
  void recorder.finish();
  return recorder;
}

class Recorder implements SeriesRecorder {
  readonly #client: KubeClient;
  readonly #options: SeriesRecorderOptions;
  readonly #names: EventNames;
  readonly #series = new Map<string, Series>();
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(client: KubeClient, options: SeriesRecorderOptions) {
    this.#client = client;
    this.#options = options;
    this.#names = new EventNames(options.clock);
  }

  record(regarding: KubeObject, note: SeriesNote): void {
    const { clock, signal } = this.#options;
    if (signal.aborted) return;
    const involved = referenceTo(regarding);
    const related = note.related && referenceTo(note.related);
    const key = JSON.stringify([note.type, note.reason, note.action, involved, related]);
    const before = this.#series.get(key);
    if (before !== undefined) {
      before.count++;
      before.lastAt = clock.now();
      if (before.written === 1) this.#send(() => this.#tell(before));
      return;
    }
    const event = this.#event(involved, related, note);
    const { name = "", namespace = "" } = event.metadata;
    const series: Series = { name, namespace, event, count: 1, lastAt: clock.now(), written: 1 };
    this.#series.set(key, series);
    this.#send(() => this.#create(event));
  }

  /** Until aborted: ends what has not been repeated for a while. */
  async finish(): Promise<void> {
    const { clock, signal } = this.#options;
    for await (const _ of ticks(clock, OVER_MS, { signal })) {
      const limit = clock.now() - OVER_MS;
      for (const [key, series] of this.#series) {
        if (series.lastAt >= limit) continue;
        this.#series.delete(key);
        if (series.count > series.written) this.#send(() => this.#tell(series));
      }
    }
  }

  #send(write: () => Promise<unknown>): void {
    if (this.#waiting >= MAX_WAITING) return;
    this.#waiting++;
    this.#tail = this.#tail
      .then(() => this.#try(write))
      .finally(() => {
        this.#waiting--;
      });
  }

  async #try(write: () => Promise<unknown>): Promise<void> {
    const { signal, log } = this.#options;
    if (signal.aborted) return;
    try {
      await write();
    } catch (error) {
      if (signal.aborted || (isApiFault(error) && hasCause(error, "NamespaceTerminating"))) return;
      log.debug("an event was dropped", { error: asError(error) });
    }
  }

  #create(event: Event): Promise<unknown> {
    return this.#client.create(EVENTS, event);
  }

  /** Writes how often it was by now; anew if the event has expired meanwhile. */
  async #tell(series: Series): Promise<void> {
    const { name, namespace, event, count, lastAt } = series;
    const told = { series: { count, lastObservedTime: microTime(lastAt) } };
    series.written = count;
    try {
      await this.#client.patch(EVENTS, { namespace, name }, told, { type: "merge" });
    } catch (error) {
      if (!isApiFault(error, "NotFound")) throw error;
      await this.#create({ ...event, ...told });
    }
  }

  #event(involvedObject: ObjectReference, related: ObjectReference | undefined, note: SeriesNote): Event {
    const { clock, component, instance } = this.#options;
    return {
      metadata: this.#names.next(involvedObject),
      involvedObject,
      ...(related ? { related } : {}),
      type: note.type,
      reason: note.reason,
      action: note.action,
      message: note.message,
      eventTime: microTime(clock.now()),
      reportingComponent: component,
      reportingInstance: instance,
    };
  }
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
