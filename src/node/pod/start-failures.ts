import type { Fault } from "#fault/fault";
import { Backoff } from "#life/backoff";
import type { Clock } from "#life/clock";
import type { Waiting } from "../status/run-view.ts";

const IMAGE_FAULTS = new Set([
  ...["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"],
]);
/** How long a refusal itself is shown before the wait for the next pull is. */
const SHOW_ERROR_MS = 2_000;
/** How often an image is looked for that may not be pulled yet, or never: somebody may have brought it. */
const LOOK_MS = 10_000;
const PULL_RETRY = { firstMs: 10_000, maxMs: 300_000 };
const CONFIG_RETRY_MS = 5_000;

interface Held {
  readonly kind: "start" | "crash";
  readonly waiting: Waiting;
  readonly until: number;
}

/** What a registry said last of one image. */
interface Refusal {
  readonly fault: Fault;
  readonly at: number;
  readonly until: number;
  readonly backoff: Backoff;
}

/** Why containers of one pod that should run do not, and until when they are not tried again. */
export class StartFailures {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  readonly #refusals = new Map<string, Refusal>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes a failed start: a registry is asked again after 10 s doubling to 300 s, all else is tried again in 5 or 10 s. */
  add(name: string, fault: Fault, image: string): void {
    const now = this.#clock.now();
    if (fault.code === "ErrImagePull") this.#refuse(image, fault, now);
    this.#held.set(name, {
      kind: "start",
      waiting: { reason: fault.code, message: fault.message },
      until: Math.min(now + retryMs(fault), this.#pullAt(image, fault)),
    });
  }

  /** Why an image was not pulled, until its registry may be asked again. */
  refusal(image: string): Fault | undefined {
    const refusal = this.#refusals.get(image);
    return refusal && this.#clock.now() < refusal.until ? refusal.fault : undefined;
  }

  /** Notes that a crashed container waits until `at`. @returns false when that was known */
  holdBack(name: string, { at, message }: { at: number; message: string }): boolean {
    if (this.#held.get(name)?.until === at) return false;
    this.#held.set(name, {
      kind: "crash",
      waiting: { reason: "CrashLoopBackOff", message },
      until: at,
    });
    return true;
  }

  /** Whether a failed start is too fresh for another try. */
  isHeld(name: string): boolean {
    const held = this.#held.get(name);
    return held !== undefined && held.kind !== "crash" && this.#clock.now() < held.until;
  }

  clear(name: string): void {
    this.#held.delete(name);
  }

  /** When something about `waiting` or `isHeld` is next different, in milliseconds since the epoch. */
  nextChangeAt(): number | undefined {
    const now = this.#clock.now();
    const coming = [...this.#held.values()].map(({ until }) => until).filter((at) => at > now);
    return coming.length === 0 ? undefined : Math.min(...coming);
  }

  waiting(): ReadonlyMap<string, Waiting> {
    return new Map([...this.#held].map(([name, { waiting }]) => [name, waiting]));
  }

  /** A registry that was asked without a refusal for twice the longest wait is asked as if for the first time. */
  #refuse(image: string, fault: Fault, now: number): void {
    const before = this.#refusals.get(image);
    const isRecent = before && now - before.at <= 2 * PULL_RETRY.maxMs;
    const backoff = isRecent ? before.backoff : new Backoff(PULL_RETRY);
    this.#refusals.set(image, { fault, at: now, until: now + backoff.nextMs(), backoff });
  }

  #pullAt(image: string, { code }: Fault): number {
    const until = code === "ImagePullBackOff" ? this.#refusals.get(image)?.until : undefined;
    return until ?? Number.POSITIVE_INFINITY;
  }
}

function retryMs({ code }: Fault): number {
  if (code === "ErrImagePull") return SHOW_ERROR_MS;
  return IMAGE_FAULTS.has(code) ? LOOK_MS : CONFIG_RETRY_MS;
}
