import type { Fault } from "#fault/fault";
import { Backoff } from "#life/backoff";
import type { Clock } from "#life/clock";
import type { Waiting } from "../status/run-view.ts";

const IMAGE_FAULTS = new Set(["ErrImagePull", "InvalidImageName", "ErrImageNeverPull"]);
/** How long the error itself is shown before the wait for the next try is. */
const SHOW_ERROR_MS = 2_000;
const CONFIG_RETRY_MS = 5_000;

interface Held {
  readonly kind: "image" | "start" | "crash";
  readonly waiting: Waiting;
  readonly image: string;
  readonly since: number;
  readonly until: number;
  /** Whether an event has said that an image is waited for. */
  hasTold: boolean;
}

/** Why containers of one pod that should run do not, and until when they are not tried again. */
export class StartFailures {
  readonly #clock: Clock;
  readonly #held = new Map<string, Held>();
  readonly #imageBackoffs = new Map<string, Backoff>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isImageFault(fault: Fault): boolean {
    return IMAGE_FAULTS.has(fault.code);
  }

  /** Notes a failed start: images wait 10 s doubling to 300 s, all else is tried again in 5 s. */
  add(name: string, fault: Fault, image: string): void {
    const isImage = this.isImageFault(fault);
    const now = this.#clock.now();
    const backoff = this.#imageBackoffs.get(image) ?? new Backoff({ firstMs: 10_000, maxMs: 300_000 });
    if (isImage) this.#imageBackoffs.set(image, backoff);
    this.#held.set(name, {
      kind: isImage ? "image" : "start",
      waiting: { reason: fault.code, message: fault.message },
      image,
      since: now,
      until: now + (isImage ? backoff.nextMs() : CONFIG_RETRY_MS),
      hasTold: false,
    });
  }

  /** Notes that a crashed container waits until `at`. @returns false when that was known */
  holdBack(name: string, { at, message }: { at: number; message: string }): boolean {
    if (this.#held.get(name)?.until === at) return false;
    this.#held.set(name, {
      kind: "crash",
      waiting: { reason: "CrashLoopBackOff", message },
      image: "",
      since: this.#clock.now(),
      until: at,
      hasTold: false,
    });
    return true;
  }

  /** Whether a failed start is too fresh for another try. */
  isHeld(name: string): boolean {
    const held = this.#held.get(name);
    return held !== undefined && held.kind !== "crash" && this.#clock.now() < held.until;
  }

  /** The message of an image back-off that began; once for each wait. */
  takeImageBackOff(name: string): string | undefined {
    const held = this.#held.get(name);
    const now = this.#clock.now();
    if (held?.kind !== "image" || held.hasTold || shown(held, now) === held.waiting) return undefined;
    held.hasTold = true;
    return `Back-off pulling image "${held.image}"`;
  }

  clear(name: string): void {
    this.#held.delete(name);
  }

  /** When something about `waiting` or `isHeld` is next different, in milliseconds since the epoch. */
  nextChangeAt(): number | undefined {
    const now = this.#clock.now();
    const times = [...this.#held.values()].flatMap(({ since, until }) => [since + SHOW_ERROR_MS, until]);
    const coming = times.filter((at) => at > now);
    return coming.length === 0 ? undefined : Math.min(...coming);
  }

  waiting(): ReadonlyMap<string, Waiting> {
    const now = this.#clock.now();
    return new Map([...this.#held].map(([name, held]) => [name, shown(held, now)]));
  }
}

function shown({ kind, waiting, image, since }: Held, now: number): Waiting {
  if (kind !== "image" || waiting.reason !== "ErrImagePull" || now < since + SHOW_ERROR_MS) return waiting;
  return {
    reason: "ImagePullBackOff",
    message: `Back-off pulling image "${image}": ${waiting.reason}: ${waiting.message}`,
  };
}
