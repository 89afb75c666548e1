import type { Pod } from "#kube/generated/types";
import { Metrics } from "#telemetry/metrics";
import type { ProbeKind, ProbeOutcome } from "./probe-state.ts";

const RESULT: Readonly<Record<ProbeOutcome, string>> = {
  success: "successful",
  failure: "failed",
  unknown: "unknown",
};
const TYPE: Readonly<Record<ProbeKind, string>> = {
  liveness: "Liveness",
  readiness: "Readiness",
  startup: "Startup",
};

interface Count {
  readonly labels: Readonly<Record<string, string>>;
  count: number;
}

/** How often each probe of the pods that are here found what. */
export class ProbeCounts {
  readonly #pods = new Map<string, Map<string, Count>>();

  add(
    { metadata }: Pod,
    container: string,
    { kind, outcome }: { kind: ProbeKind; outcome: ProbeOutcome },
  ): void {
    const { uid = "", name, namespace = "" } = metadata;
    const counts = this.#pods.get(uid) ?? new Map<string, Count>();
    this.#pods.set(uid, counts);
    const key = `${container} ${kind} ${outcome}`;
    const labels = {
      container,
      namespace,
      pod: name,
      pod_uid: uid,
      probe_type: TYPE[kind],
      result: RESULT[outcome],
    };
    const one = counts.get(key) ?? { labels, count: 0 };
    one.count++;
    counts.set(key, one);
  }

  forget(uid: string): void {
    this.#pods.delete(uid);
  }

  /** `/metrics/probes`. @see kubelet prober/prober_manager.go */
  text(): string {
    const page = new Metrics();
    const all = [...this.#pods.values()].flatMap((counts) => [...counts.values()]);
    page.ask(
      "prober_probe_total",
      "[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result.",
      { type: "counter", values: () => all.map(({ labels, count }) => [labels, count] as const) },
    );
    return page.expose();
  }
}
