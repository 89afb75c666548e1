import { isFault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import { wholeOf } from "../cgroup/amounts.ts";
import { containerResources } from "../cgroup/limits.ts";
import type { DownwardFacts } from "../env/downward.ts";
import { type ContainerView, fieldPathOf } from "../status/run-view.ts";
import { note, type PodContext } from "./context.ts";
import { podText } from "./hooks.ts";
import type { Kill } from "./plan.ts";
import type { Resizes } from "./resizes.ts";
import { RestartBackoff } from "./restart-backoff.ts";
import { runtimeHandlerOf } from "./runtime-class.ts";
import { startContainer } from "./start-container.ts";
import { StartFailures } from "./start-failures.ts";
import { stopContainer } from "./stop-pod.ts";

const DEFAULT_GRACE_SECONDS = 30;

/** Starts and ends single containers of one pod, and remembers what must not be tried again yet. */
export class ContainerSteps {
  readonly backoff = new RestartBackoff();
  readonly failures: StartFailures;
  readonly resizes: Resizes;
  readonly #context: PodContext;
  readonly #facts: () => DownwardFacts;

  constructor(context: PodContext, resizes: Resizes, facts: () => DownwardFacts) {
    this.#context = context;
    this.resizes = resizes;
    this.#facts = facts;
    this.failures = new StartFailures(context.clock);
  }

  /** Starts a container unless it failed to a moment ago. @returns whether it started */
  async start(
    view: ContainerView,
    pod: Pod,
    { volumes, signal }: { volumes: ReadonlyMap<string, string>; signal: AbortSignal },
  ): Promise<boolean> {
    const { spec, current } = view;
    if (this.failures.isHeld(spec.name)) return false;
    try {
      const runtimeHandler = await runtimeHandlerOf(pod, this.#context);
      const heldBack = this.failures.refusal(spec.image ?? "");
      const inputs = { pod, view, volumes, signal, runtimeHandler, heldBack, facts: this.#facts() };
      const run = await startContainer(inputs, this.#context);
      this.resizes.give(run.id, spec.resources);
      this.failures.clear(spec.name);
      return true;
    } catch (error) {
      if (!isFault(error)) throw error;
      this.failures.add(spec.name, error, spec.image ?? "");
      return false;
    } finally {
      if (current?.exit)
        this.backoff.arm(spec.name, Date.parse(current.exit.finishedAt), this.#context.clock.now());
    }
  }

  /** Ends a container that is to run anew, within its own probe's grace where a probe condemned it. */
  async kill({ view, reason, why }: Kill, pod: Pod): Promise<void> {
    const fieldPath = fieldPathOf(view);
    note(this.#context, pod, { type: "Normal", reason: "Killing", message: why, fieldPath });
    const { livenessProbe, startupProbe } = view.spec;
    const probe = {
      liveness: livenessProbe,
      startup: startupProbe,
      definition: undefined,
      resize: undefined,
    }[reason];
    const seconds =
      probe?.terminationGracePeriodSeconds ??
      pod.spec?.terminationGracePeriodSeconds ??
      DEFAULT_GRACE_SECONDS;
    const deadline = this.#context.clock.now() + seconds * 1000;
    const podIp = this.#facts().podIps[0] ?? "";
    await stopContainer(view, pod, { deadline: () => deadline, podIp }, this.#context);
  }

  /** Gives a running container what it is allotted now, if that can be done without a restart. */
  async resize({ current, spec, given }: ContainerView, pod: Pod): Promise<void> {
    if (!current || !given || this.resizes.needsRestart(current.id, spec)) return;
    const { runtime, settings } = this.#context;
    const memoryBytes = wholeOf(settings.capacity["memory"]);
    await runtime.updateResources(current.id, containerResources(spec, pod, { memoryBytes }));
    this.resizes.give(current.id, spec.resources);
  }

  /** Says once per wait that a crashed container is not restarted yet. */
  holdBack(view: ContainerView, pod: Pod, at: number): void {
    const { name } = view.spec;
    const seconds = Math.round(this.backoff.waitMs(name) / 1000);
    const isNew = this.failures.holdBack(name, {
      at,
      message: `back-off ${seconds}s restarting failed container=${name} pod=${podText(pod)}`,
    });
    if (!isNew) return;
    note(this.#context, pod, {
      type: "Warning",
      reason: "BackOff",
      message: `Back-off restarting failed container ${name} in pod ${podText(pod)}`,
      fieldPath: fieldPathOf(view),
    });
  }
}
