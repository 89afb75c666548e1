import { asError } from "#fault/fault";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { isApiFault } from "./api-fault.ts";
import type { KubeClient } from "./client.ts";
import { openEventRecorder } from "./event-recorder.ts";
import type { Lease, LeaseSpec } from "./generated/types.ts";
import { LEASES } from "./resources.ts";

export interface ElectionOptions {
  readonly namespace: string;
  readonly name: string;
  /** Tells candidates apart. A candidate that comes back under the identity it had goes on at once. */
  readonly identity: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly timing?: ElectionTiming;
  readonly random?: () => number;
}

/** All in milliseconds. */
export interface ElectionTiming {
  /** A lease that nobody renewed for so long is free. */
  readonly lease: number;
  /** A leader that could not renew for so long stops acting: before others may begin. */
  readonly deadline: number;
  readonly retry: number;
}

/** As kube-controller-manager and kube-scheduler have them. */
export const ELECTION_TIMING: ElectionTiming = { lease: 15_000, deadline: 10_000, retry: 2_000 };
/** Candidates spread their attempts by up to this share. */
const JITTER = 1.2;

/** Runs `work` while this candidate holds the lease, again whenever it comes to hold it, until aborted or until `work` ends by itself; the
 *  lease is free afterwards. `work` must end soon when its signal aborts: others begin when the lease has run out, and that is a little later.
 *  @see client-go tools/leaderelection */
export async function lead(
  client: KubeClient,
  options: ElectionOptions,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const candidate = new Candidate(client, options);
  const { signal } = options;
  while (!signal.aborted) {
    await candidate.acquire();
    if (signal.aborted) return;
    await using reign = candidate.reign();
    const working = work(reign.signal);
    await Promise.race([working, reign.ended]);
    const isOver = !reign.signal.aborted;
    reign.stop();
    await working;
    if (isOver) return;
  }
}

/** One term: its signal aborts when the lease is lost, or everything ends. */
interface Reign extends AsyncDisposable {
  readonly signal: AbortSignal;
  readonly ended: Promise<void>;
  stop(): void;
}

class Candidate {
  readonly #client: KubeClient;
  readonly #options: ElectionOptions;
  readonly #timing: ElectionTiming;
  /** What the lease said when it last changed, and when that was by our own clock: remote clocks are not compared with it. */
  #seen: { readonly text: string; readonly at: number } | undefined;
  #lease: Lease | undefined;
  /** Somebody else holds the lease. */
  #isTaken = false;

  constructor(client: KubeClient, options: ElectionOptions) {
    this.#client = client;
    this.#options = options;
    this.#timing = options.timing ?? ELECTION_TIMING;
  }

  /** Resolves once the lease is ours, or when aborted. */
  async acquire(): Promise<void> {
    const { clock, signal, random = Math.random, identity, log, name } = this.#options;
    while (!signal.aborted) {
      if (await this.#within(this.#timing.deadline, this.#attempt(), signal)) {
        log.info("leads", { lease: name, identity });
        this.#note("became leader");
        return;
      }
      for await (const _ of ticks(clock, this.#timing.retry * (1 + random() * JITTER), { signal })) break;
    }
  }

  reign(): Reign {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, stop.signal]);
    const renewing = this.#renew(signal).finally(() => stop.abort());
    return {
      signal,
      ended: renewing,
      stop: () => stop.abort(),
      [Symbol.asyncDispose]: async () => {
        stop.abort();
        await renewing;
        await this.#release();
      },
    };
  }

  /** Keeps the lease until aborted, or until it could not be renewed in time. */
  async #renew(signal: AbortSignal): Promise<void> {
    const { clock, log, name } = this.#options;
    let renewedAt = clock.now();
    for await (const _ of ticks(clock, this.#timing.retry, { signal })) {
      const startedAt = clock.now();
      if (await this.#within(this.#timing.deadline - (startedAt - renewedAt), this.#attempt(), signal))
        renewedAt = startedAt;
      else if (this.#isTaken || clock.now() - renewedAt >= this.#timing.deadline) {
        log.warn("no longer leads: the lease was not renewed in time", { lease: name });
        return;
      }
    }
  }

  /** False when it takes longer than `ms`: a server that does not answer must not keep us from stopping in time. */
  async #within(ms: number, attempt: Promise<boolean>, until?: AbortSignal): Promise<boolean> {
    const cancel = new AbortController();
    const signal = until ? AbortSignal.any([until, cancel.signal]) : cancel.signal;
    const late = this.#options.clock.sleep(Math.max(0, ms), { signal }).then(
      () => false,
      () => false,
    );
    try {
      return await Promise.race([attempt, late]);
    } finally {
      cancel.abort();
    }
  }

  /** True when the lease is ours afterwards. */
  async #attempt(): Promise<boolean> {
    try {
      return await this.#takeOrRenew();
    } catch (error) {
      this.#lease = undefined;
      if (!isApiFault(error, "Conflict", "AlreadyExists"))
        this.#options.log.debug("the lease was not written", { error: asError(error) });
      return false;
    }
  }

  async #takeOrRenew(): Promise<boolean> {
    const { identity } = this.#options;
    // a leader goes on from the state it wrote itself
    const stored = this.#lease ?? (await this.#read());
    if (stored === undefined) return this.#keep(await this.#client.create(LEASES, this.#draft(undefined)));
    if (this.#lease === undefined) this.#observe(stored);
    const holder = stored.spec?.holderIdentity ?? "";
    this.#isTaken = holder !== "" && holder !== identity;
    if (this.#isTaken && !this.#isStale(stored)) return false;
    return this.#keep(await this.#client.replace(LEASES, this.#draft(stored)));
  }

  #keep(lease: Lease): true {
    this.#lease = lease;
    this.#isTaken = false;
    this.#observe(lease);
    return true;
  }

  #observe({ spec }: Lease): void {
    const text = JSON.stringify(spec ?? {});
    if (this.#seen?.text !== text) this.#seen = { text, at: this.#options.clock.now() };
  }

  /** Whether nothing has changed for as long as the holder asked for. */
  #isStale({ spec }: Lease): boolean {
    const lease = (spec?.leaseDurationSeconds ?? 0) * 1000 || this.#timing.lease;
    return this.#seen !== undefined && this.#options.clock.now() - this.#seen.at >= lease;
  }

  async #read(): Promise<Lease | undefined> {
    try {
      return await this.#client.get(LEASES, this.#options);
    } catch (error) {
      if (isApiFault(error, "NotFound")) return undefined;
      throw error;
    }
  }

  #draft(stored: Lease | undefined): Lease {
    const { namespace, name, identity } = this.#options;
    const now = this.#time();
    const isOurs = stored?.spec?.holderIdentity === identity;
    const transitions = stored?.spec?.leaseTransitions ?? 0;
    const spec: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#timing.lease / 1000),
      acquireTime: isOurs ? (stored.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: stored === undefined || isOurs ? transitions : transitions + 1,
    };
    return { ...stored, metadata: stored?.metadata ?? { namespace, name }, spec };
  }

  /** Gives the lease up, so that the next one need not wait. */
  async #release(): Promise<void> {
    const held = this.#lease;
    this.#lease = undefined;
    this.#note("stopped leading");
    if (held?.spec?.holderIdentity !== this.#options.identity) return;
    const now = this.#time();
    const spec: LeaseSpec = {
      holderIdentity: "",
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: held.spec.leaseTransitions ?? 0,
    };
    try {
      await this.#within(
        this.#timing.retry,
        this.#client.replace(LEASES, { ...held, spec }).then(() => true),
      );
    } catch (error) {
      this.#options.log.debug("the lease was not given up", { error: asError(error) });
    }
  }

  /** RFC 3339 with six decimals, as the API keeps lease times. */
  #time(): string {
    return new Date(this.#options.clock.now()).toISOString().replace("Z", "000Z");
  }

  #note(what: string): void {
    const { clock, log, signal, identity } = this.#options;
    if (this.#seen === undefined || signal.aborted) return;
    const { namespace, name } = this.#options;
    const recorder = openEventRecorder(this.#client, { component: name, clock, log, signal });
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace, name } };
    recorder.record(lease, { type: "Normal", reason: "LeaderElection", message: `${identity} ${what}` });
  }
}
