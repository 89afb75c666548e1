import type { Clock } from "#life/clock";
import type { RuntimeCondition } from "../runtime.ts";
import type { CriChannel } from "./channel.ts";
import { hasStatus } from "./cri-fault.ts";
import type { StatusResponse, RuntimeCondition as Told } from "./generated/types.ts";

const POLL_MS = 5_000;
const RETRY_MS = 1_000;
const SILENCE_MS = 30_000;

/** Whether the runtime can run pods and wire them, asked every five seconds. */
export class ConditionWatch {
  readonly #channel: CriChannel;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #listeners = new Set<() => void>();
  #told: readonly Told[] = [];
  /** What the runtime last said it can do. */
  handlers: StatusResponse["runtimeHandlers"] = [];
  features: StatusResponse["features"];
  #answeredAt: number;
  /** Tries in a row that found nobody at the socket. */
  #refusals = 0;

  constructor({ channel, clock, signal }: { channel: CriChannel; clock: Clock; signal: AbortSignal }) {
    this.#channel = channel;
    this.#clock = clock;
    this.#signal = signal;
    this.#answeredAt = clock.now();
  }

  /** Asks until aborted; more often while something is amiss. */
  async run(): Promise<void> {
    let before = this.current();
    while (!this.#signal.aborted) {
      const isWell = before.messages.length === 0 && this.#refusals === 0;
      await this.#clock.sleep(isWell ? POLL_MS : RETRY_MS, { signal: this.#signal }).catch(() => undefined);
      await this.ask();
      const after = this.current();
      if (after.messages.join() !== before.messages.join())
        for (const listener of this.#listeners) listener();
      before = after;
    }
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Asks once. */
  async ask(): Promise<void> {
    try {
      const { status, runtimeHandlers, features } = await this.#channel.call(
        "Status",
        {},
        { signal: this.#signal, timeoutMs: SILENCE_MS },
      );
      this.#told = status?.conditions ?? [];
      this.handlers = runtimeHandlers;
      this.features = features;
      this.#answeredAt = this.#clock.now();
      this.#refusals = 0;
    } catch (error) {
      if (hasStatus(error, "Unavailable")) this.#refusals++;
    }
  }

  /** One refused connection may be a runtime that is started anew; two, a second apart, are believed. */
  get #isDown(): boolean {
    return this.#refusals >= 2 || this.#clock.now() - this.#answeredAt > SILENCE_MS;
  }

  current(): RuntimeCondition {
    if (this.#isDown)
      return { isRuntimeReady: false, isNetworkReady: false, messages: ["container runtime is down"] };
    const runtime = this.#told.find(({ type }) => type === "RuntimeReady");
    const network = this.#told.find(({ type }) => type === "NetworkReady");
    return {
      isRuntimeReady: runtime?.status ?? false,
      isNetworkReady: network?.status ?? false,
      messages: [
        ...complaint("container runtime not ready", "RuntimeReady", runtime),
        ...complaint("container runtime network not ready", "NetworkReady", network),
      ],
    };
  }
}

function complaint(what: string, type: string, told: Told | undefined): readonly string[] {
  if (told?.status) return [];
  if (!told) return [`${what}: ${type}=false reason:Unknown message:the runtime does not tell`];
  return [`${what}: ${type}=false reason:${told.reason} message:${told.message}`];
}
