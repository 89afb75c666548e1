import type { Pod } from "#kube/generated/types";
import type { WorkQueue } from "#life/work-queue";
import { isServed } from "./model.ts";
import { serviceKeyOf } from "./names.ts";
import { formatTaken, holdsPorts, isWaiting, takenPorts } from "./port-holders.ts";
import { openServiceQueue } from "./queue.ts";
import { BY_NODE, BY_SERVICE, type Means } from "./watched.ts";

const BACKOFF = { firstMs: 50, maxMs: 60_000 };
/** Events are forgotten after an hour; what still holds is told again before. */
const AGAIN_MS = 1_800_000;
/** Pods come and go one by one: what is told is what they come to. */
const SETTLE_MS = 1_000;

/** Tells each Service whose pods wait for a port who has it: on the Service, as an event, and in the log when it begins and ends. */
export function runPortReports(means: Means): void {
  new PortReports(means).run();
}

class PortReports {
  readonly #means: Means;
  readonly #queue: WorkQueue<string>;
  /** What was told of each Service, and when. */
  readonly #told = new Map<string, { readonly text: string; readonly at: number }>();
  /** What is going to be told, since when it is so. */
  readonly #seen = new Map<string, { readonly text: string; readonly at: number }>();

  constructor(means: Means) {
    this.#means = means;
    this.#queue = openServiceQueue(means, "ports", {
      workers: 1,
      backoff: BACKOFF,
      work: (key) => this.#sync(key),
    });
  }

  run(): void {
    const { pods, services } = this.#means.watched;
    pods.subscribe((change) => {
      const pod = change.type === "removed" ? change.before : change.object;
      const key = serviceKeyOf(pod);
      if (key !== undefined) this.#queue.add(key);
      if (holdsPorts(pod)) for (const waiting of this.#seen.keys()) this.#queue.add(waiting);
    });
    services.subscribe(({ type, key }) => {
      if (type === "removed") this.#queue.add(key);
    });
  }

  async #sync(key: string): Promise<number | undefined> {
    const { watched, log, clock } = this.#means;
    const service = watched.services.get(key);
    const text = service && isServed(service) ? this.#look(key) : "";
    const told = this.#told.get(key);
    if (service === undefined || text === "") {
      if (told) log.info("is over: a port was taken", { service: key });
      this.#told.delete(key);
      this.#seen.delete(key);
      return undefined;
    }
    const now = clock.now();
    const seen = this.#seen.get(key);
    const since = seen?.text === text ? seen.at : now;
    this.#seen.set(key, { text, at: since });
    if (now - since < SETTLE_MS) return since + SETTLE_MS - now;
    if (told?.text === text && now - told.at < AGAIN_MS) return told.at + AGAIN_MS - now;
    this.#told.set(key, { text, at: now });
    if (told?.text !== text) log.warn("a port is taken", { service: key, why: text });
    const message = `Waits for ports of nodes: ${text}`;
    this.#means.events.lb.record(service, { type: "Warning", reason: "PortTaken", message });
    return AGAIN_MS;
  }

  #look(key: string): string {
    const { pods } = this.#means.watched;
    const waiting: readonly Pod[] = pods.byIndex(BY_SERVICE, key).filter(isWaiting);
    return formatTaken(takenPorts(waiting, (node) => pods.byIndex(BY_NODE, node)));
  }
}
