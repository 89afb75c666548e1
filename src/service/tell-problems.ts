/** Tells of problems where people look: an Event on the Service, a line in the log when one appears, a line when it is over. */
import { createHash } from "node:crypto";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { referenceTo } from "#kube/event-names";
import type { Event, Service } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { EVENTS, SERVICES } from "#kube/resources";
import { Cell } from "#life/cell";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { isOfOneNode, problemId, type ServiceProblem, sortedProblems } from "./problems.ts";

const COMPONENT = "kube-proxy";
/** An apiserver keeps an Event for an hour; a problem that lasts is told again. */
const AGAIN_MS = 3_600_000;
const RETRY_MS = 60_000;
/** Of those that appear together; the others are counted. */
const MOST_LINES = 50;
const MOST_EVENTS = 500;
const MOST_MESSAGE = 1024;

export interface ProblemTellerOptions {
  readonly client: KubeClient;
  readonly services: Informer<Service>;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export class ProblemTeller {
  readonly #options: ProblemTellerOptions;
  readonly #sources = new Map<string, readonly ServiceProblem[]>();
  readonly #cell = new Cell<void>();
  /** By `problemId`. */
  #known: ReadonlyMap<string, ServiceProblem> = new Map();
  /** When each was last told to the API. */
  readonly #toldMs = new Map<string, number>();

  constructor(options: ProblemTellerOptions) {
    this.#options = options;
  }

  /** All problems that one part of the room sees now, in place of what it saw before. */
  hear(source: string, problems: readonly ServiceProblem[]): void {
    this.#sources.set(source, problems);
    this.#cell.set();
  }

  /** All there are now, of whichever source. */
  get all(): readonly ServiceProblem[] {
    return sortedProblems([...this.#sources.values()].flat());
  }

  /** Tells until aborted. */
  async run(): Promise<void> {
    const { clock, signal } = this.#options;
    await Promise.all([this.#hearAll(), this.#wakeEvery(clock, signal)]);
  }

  async #hearAll(): Promise<void> {
    for await (const _ of this.#cell.values(this.#options)) {
      const now = new Map(this.all.map((problem) => [problemId(problem), problem]));
      this.#logChanges(now);
      this.#known = now;
      await this.#writeEvents();
    }
  }

  async #wakeEvery(clock: Clock, signal: AbortSignal): Promise<void> {
    for await (const _ of ticks(clock, RETRY_MS, { signal })) if (this.#known.size > 0) this.#cell.set();
  }

  #logChanges(now: ReadonlyMap<string, ServiceProblem>): void {
    const { log } = this.#options;
    const appeared = [...now].filter(([id]) => !this.#known.has(id));
    const over = [...this.#known].filter(([id]) => !now.has(id));
    for (const [, { service, reason, message }] of appeared.slice(0, MOST_LINES))
      log.warn("a service has a problem", { service, reason, message });
    for (const [, { service, reason }] of over.slice(0, MOST_LINES))
      log.info("a service's problem is over", { service, reason });
    const unsaid = Math.max(0, appeared.length - MOST_LINES) + Math.max(0, over.length - MOST_LINES);
    if (unsaid > 0) log.warn("more services have problems, or have them no longer", { count: unsaid });
    for (const [id] of over) this.#toldMs.delete(id);
  }

  async #writeEvents(): Promise<void> {
    const { clock, log, signal } = this.#options;
    const due = [...this.#known].filter(
      ([id]) => clock.now() - (this.#toldMs.get(id) ?? -AGAIN_MS) >= AGAIN_MS,
    );
    for (const [id, problem] of due.slice(0, MOST_EVENTS)) {
      if (signal.aborted) return;
      try {
        await this.#write(id, problem);
      } catch (error) {
        if (signal.aborted || !isApiFault(error)) throw error;
        log.debug("an event was not written; will try again", {
          service: problem.service,
          error: error.message,
        });
        // Nobody there, or not allowed: so will be the next.
        return;
      }
    }
  }

  async #write(id: string, problem: ServiceProblem): Promise<void> {
    const { client, services, clock } = this.#options;
    const service = services.get(problem.service);
    if (service !== undefined) {
      try {
        await client.create(EVENTS, eventOf({ ...service, ...KIND }, { id, problem, ...this.#options }));
      } catch (error) {
        // Another node was first, or this one before its restart.
        if (!isApiFault(error, "AlreadyExists", "NotFound")) throw error;
      }
    }
    this.#toldMs.set(id, clock.now());
  }
}

/** Informers leave them out of what they hold. */
const KIND = { apiVersion: "v1", kind: SERVICES.kind } as const;

/** The same name on every node that sees the same problem of the same object. */
function eventOf(
  service: Service,
  {
    id,
    problem,
    nodeName,
    clock,
  }: {
    readonly id: string;
    readonly problem: ServiceProblem;
    readonly nodeName: string;
    readonly clock: Clock;
  },
): Event {
  const { namespace = "default", name, uid = "" } = service.metadata;
  const time = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, "Z");
  const host = isOfOneNode(problem) ? nodeName : undefined;
  const digest = createHash("sha256")
    .update(`${uid} ${id} ${host ?? ""}`)
    .digest("hex")
    .slice(0, 16);
  return {
    metadata: { name: `${name}.${digest}`, namespace },
    involvedObject: referenceTo(service),
    type: "Warning",
    reason: problem.reason,
    message: problem.message.slice(0, MOST_MESSAGE),
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component: COMPONENT, ...(host === undefined ? {} : { host }) },
    reportingComponent: COMPONENT,
    reportingInstance: host ?? "",
  };
}
