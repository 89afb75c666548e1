import type { Pod, PodStatus } from "#kube/generated/types";
import type { DownwardFacts } from "../env/downward.ts";
import type { ProbeNews, Prober } from "../probe/prober.ts";
import { type Disruption, isOwnCondition } from "../status/conditions.ts";
import { podStatus, refusedStatus } from "../status/pod-status.ts";
import { fieldPathOf, isRunning, type PodView, type Waiting, withoutWaits } from "../status/run-view.ts";
import { canReadOnlyBelow } from "./container-config.ts";
import { note, type PodContext } from "./context.ts";
import type { Resizes } from "./resizes.ts";
import { viewPod } from "./view.ts";

/** Why a pod as a whole failed. */
export interface PodFailure {
  readonly reason: string;
  readonly message: string;
  /** It was never let in. */
  readonly isRefusal?: boolean;
  /** What it is given to end; default: what its spec says. */
  readonly graceSeconds?: number;
  /** Why it had to go for others, as its condition says. */
  readonly disruption?: Disruption;
}

export interface ReportSources {
  readonly pod: () => Pod;
  /** Why containers that should run do not. */
  readonly waiting: () => ReadonlyMap<string, Waiting>;
  readonly prober: Prober;
  /** When all containers were last told to begin anew. */
  readonly anewSince: () => string | undefined;
  /** Whether they are being ended for that now. */
  readonly beginsAnew: () => boolean;
  readonly resizes: Resizes;
}

/** How one pod looks now: to its worker, to its containers, and in the API. */
export class PodReport {
  readonly #context: PodContext;
  readonly #sources: ReportSources;

  constructor(context: PodContext, sources: ReportSources) {
    this.#context = context;
    this.#sources = sources;
  }

  view(): PodView {
    const { pod, waiting, prober, anewSince, beginsAnew, resizes } = this.#sources;
    const view = viewPod(pod(), {
      ...{ runtime: this.#context.runtime, prober, resizes },
      ...{ waiting: waiting(), anewSince: anewSince() },
    });
    return { ...view, beginsAnew: beginsAnew() };
  }

  /** What the downward API tells. */
  facts(): DownwardFacts {
    const { runtime, settings } = this.#context;
    const { hostIps, allocatable } = settings;
    const pod = this.#sources.pod();
    const isHost = pod.spec?.hostNetwork === true;
    const podIps = isHost ? hostIps : (runtime.sandbox(pod.metadata.uid ?? "")?.ips ?? []);
    return { hostIps, allocatable, podIps };
  }

  get startTime(): string | undefined {
    return this.#before().startTime;
  }

  /** Has the API told what is true now. `isOver`: nothing of the pod will run again. */
  publish(
    end: { readonly isOver: boolean; readonly failure?: PodFailure | undefined } = { isOver: false },
  ): void {
    const { runtime, settings, clock, status } = this.#context;
    const view = end.isOver ? withoutWaits(this.view()) : this.view();
    const context = {
      before: this.#before(),
      runtime: runtime.name,
      hostIps: settings.hostIps,
      isTerminating: end.isOver,
      now: clock.now(),
      failure: end.failure && { reason: end.failure.reason, message: end.failure.message },
      disruption: end.failure?.disruption,
      canReadOnlyBelow: canReadOnlyBelow(runtime, ""),
    };
    status.set(view.pod, end.failure?.isRefusal ? refusedStatus(view, context) : podStatus(view, context));
  }

  /** Tells of resizes that began, must wait, or are done. */
  tellResizes(): void {
    const { pod, containers } = this.view();
    const isDone = !containers.some((view) => isRunning(view) && view.given);
    for (const news of this.#sources.resizes.takeNews(pod, { isDone })) note(this.#context, pod, news);
  }

  /** Tells what a probe of a container found: that it failed, or what is odd about its success. */
  noteProbe(container: string, { kind, what, output }: ProbeNews): void {
    const pod = this.#sources.pod();
    const isInit = pod.spec?.initContainers?.some(({ name }) => name === container) ?? false;
    const name = `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
    const messages: Readonly<Record<ProbeNews["what"], string>> = {
      failure: `${name} probe failed: ${output}`,
      unknown: `${name} probe errored and resulted in unknown state: ${output}`,
      warning: `${name} probe warning: ${output}`,
    };
    note(this.#context, pod, {
      type: "Warning",
      reason: what === "warning" ? "ProbeWarning" : "Unhealthy",
      message: messages[what],
      fieldPath: fieldPathOf({ kind: isInit ? "sidecar" : "regular", spec: { name: container } }),
    });
  }

  /** What was said last; conditions of others as the API has them now. */
  #before(): PodStatus {
    const { metadata, status: told = {} } = this.#sources.pod();
    const own = this.#context.status.get(metadata.uid ?? "");
    if (!own) return told;
    const foreign = (told.conditions ?? []).filter((condition) => !isOwnCondition(condition));
    return { ...own, conditions: [...(own.conditions ?? []).filter(isOwnCondition), ...foreign] };
  }
}
