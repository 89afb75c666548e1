import { asError } from "#fault/fault";
import type { Container, Probe } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import type { Run } from "../runtime/runtime.ts";
import { runProbe } from "./probe-loop.ts";
import type { ProbeKind, ProbeOutcome, ProbeState } from "./probe-state.ts";
import { type ProbeTarget, tryProbe } from "./try-probe.ts";

export interface ProberOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Wakes the pod: something about its containers is believed now that was not before. */
  readonly onChange: () => void;
  readonly onNews: (container: Container, news: ProbeNews) => void;
  readonly onOutcome?: (container: Container, found: { kind: ProbeKind; outcome: ProbeOutcome }) => void;
  readonly onBug: (error: Error) => void;
}

/** What is told of a probe beside its verdict. */
export interface ProbeNews {
  readonly kind: ProbeKind;
  readonly what: "failure" | "unknown" | "warning";
  readonly output: string;
}

/** What the API said of a container that an earlier agent started. */
export interface EarlierBelief {
  readonly isStarted: boolean;
  readonly isReady: boolean;
}

interface Watched {
  readonly stop: AbortController;
  readonly verdicts: Map<ProbeKind, ProbeState["verdict"]>;
  readonly target: ProbeTarget;
  readonly run: Run;
  failure: { readonly kind: ProbeKind } | undefined;
}

const PROBES: Readonly<Record<ProbeKind, (container: Container) => Probe | undefined>> = {
  startup: (container) => container.startupProbe,
  liveness: (container) => container.livenessProbe,
  readiness: (container) => container.readinessProbe,
};

/** The probes of one pod's running containers, by container id. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #watched = new Map<string, Watched>();
  /** Aborted when nothing of the pod is restarted any more. */
  readonly #ending = new AbortController();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Begins to probe a running container; one that is probed already goes on. */
  watch(run: Run, target: ProbeTarget, earlier?: EarlierBelief): void {
    if (this.#watched.has(run.id)) return;
    const stop = new AbortController();
    this.#options.signal.addEventListener("abort", () => stop.abort(), { once: true, signal: stop.signal });
    const watched: Watched = { stop, verdicts: new Map(), target, run, failure: undefined };
    this.#watched.set(run.id, watched);
    if (earlier?.isStarted) watched.verdicts.set("startup", "success");
    if (earlier?.isReady) watched.verdicts.set("readiness", "success");
    if (target.container.startupProbe && !earlier?.isStarted) this.#begin(watched, "startup");
    else this.#beginOthers(watched);
  }

  /** Forgets containers that no longer run. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const [id, { stop }] of this.#watched) {
      if (ids.has(id)) continue;
      stop.abort();
      this.#watched.delete(id);
    }
  }

  /** The pod is ending: nobody asks any more what would restart a container, only whether it still serves. */
  keepOnlyReadiness(): void {
    this.#ending.abort();
  }

  isStarted(run: Run, container: Container): boolean {
    if (!container.startupProbe) return true;
    return this.#watched.get(run.id)?.verdicts.get("startup") === "success";
  }

  isReady(run: Run, container: Container): boolean {
    if (!container.readinessProbe) return true;
    return this.#watched.get(run.id)?.verdicts.get("readiness") === "success";
  }

  /** Which probe condemned the container, if one did. */
  failure(run: Run): ProbeKind | undefined {
    return this.#watched.get(run.id)?.failure?.kind;
  }

  stop(): void {
    this.keepOnly(new Set());
  }

  #beginOthers(watched: Watched): void {
    this.#begin(watched, "readiness");
    this.#begin(watched, "liveness");
  }

  #begin(watched: Watched, kind: ProbeKind): void {
    const { target, run, stop } = watched;
    const probe = PROBES[kind](target.container);
    if (!probe) return;
    const signal = kind === "readiness" ? stop.signal : AbortSignal.any([stop.signal, this.#ending.signal]);
    runProbe({
      kind,
      probe,
      startedAt: Date.parse(run.startedAt),
      initial: watched.verdicts.get(kind),
      attempt: (options) => tryProbe(probe, target, options),
      onVerdict: (verdict) => this.#believe(watched, kind, verdict),
      onOutcome: (outcome) => this.#options.onOutcome?.(target.container, { kind, outcome }),
      onNews: (what, output) => this.#options.onNews(target.container, { kind, what, output }),
      clock: this.#options.clock,
      signal,
    }).catch((error: unknown) => {
      if (!signal.aborted) this.#options.onBug(asError(error));
    });
  }

  #believe(watched: Watched, kind: ProbeKind, verdict: ProbeState["verdict"]): void {
    watched.verdicts.set(kind, verdict);
    if (verdict === "failure" && kind !== "readiness") watched.failure = { kind };
    if (kind === "startup" && verdict === "success") this.#beginOthers(watched);
    this.#options.onChange();
  }
}
