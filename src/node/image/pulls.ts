import { createHash } from "node:crypto";
import { explain, Fault } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { FoundImage, RegistryAuth, Runtime } from "../runtime/runtime.ts";
import type { Credential } from "./pull-secrets.ts";
import { Turns } from "./turns.ts";

/** How many images are fetched at a time, and how fast one pull may follow another; 0 is no bound. */
export interface PullLimits {
  readonly atOnce: number;
  readonly perSecond: number;
  /** How many may start at once after a quiet while. */
  readonly burst: number;
}

/** A kubelet's, in the setting that K3s gives it: images do not wait for each other. */
export const DEFAULT_PULL_LIMITS: PullLimits = { atOnce: 0, perSecond: 5, burst: 10 };

export interface Pulled {
  readonly image: FoundImage;
  /** Undefined: the registry asked for none. */
  readonly credential: Credential | undefined;
  /** Without the wait for a turn. */
  readonly tookMs: number;
}

interface Shared {
  readonly work: Promise<Pulled>;
  readonly stop: AbortController;
  waiting: number;
}

/** Fetches images for all pods of the node: those who want the same one at the same time, with the same credentials, wait for one
 *  transfer, which ends early when the last of them has gone. */
export class Pulls {
  readonly #runtime: Pick<Runtime, "pullImage">;
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #shared = new Map<string, Shared>();

  constructor({
    runtime,
    clock,
    limits = DEFAULT_PULL_LIMITS,
  }: { runtime: Pick<Runtime, "pullImage">; clock: Clock; limits?: PullLimits | undefined }) {
    this.#runtime = runtime;
    this.#clock = clock;
    this.#turns = new Turns(limits, clock);
  }

  /** Tries each credential in turn; with none of them it asks as nobody. @throws {Fault} "ErrImagePull"; what `signal` aborted with */
  async pull(
    name: string,
    credentials: readonly Credential[],
    { signal }: { signal: AbortSignal },
  ): Promise<Pulled> {
    signal.throwIfAborted();
    const key = createHash("sha256")
      .update(JSON.stringify([name, credentials]))
      .digest("hex");
    const shared = this.#shared.get(key) ?? this.#begin(key, name, credentials);
    shared.waiting++;
    const gone = Promise.withResolvers<never>();
    const leave = () => gone.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    try {
      return await Promise.race([shared.work, gone.promise]);
    } finally {
      signal.removeEventListener("abort", leave);
      if (--shared.waiting === 0) this.#end(key, shared);
    }
  }

  #begin(key: string, name: string, credentials: readonly Credential[]): Shared {
    const stop = new AbortController();
    const work = this.#turns.take(() => this.#fetch(name, credentials, stop.signal), { signal: stop.signal });
    work.catch(() => {}); // Told to whoever still waits.
    const shared: Shared = { work, stop, waiting: 0 };
    this.#shared.set(key, shared);
    return shared;
  }

  /** Whoever asks from now on starts anew: what has been fetched is looked for before that. */
  #end(key: string, shared: Shared): void {
    if (this.#shared.get(key) === shared) this.#shared.delete(key);
    shared.stop.abort();
  }

  async #fetch(name: string, credentials: readonly Credential[], signal: AbortSignal): Promise<Pulled> {
    const startedAt = this.#clock.now();
    const refusals: unknown[] = [];
    for (const credential of credentials.length > 0 ? credentials : [undefined]) {
      try {
        const auth: RegistryAuth | undefined = credential?.auth;
        const image = await this.#runtime.pullImage(name, { auth, signal });
        return { image, credential, tookMs: this.#clock.now() - startedAt };
      } catch (error) {
        signal.throwIfAborted();
        refusals.push(error);
      }
    }
    throw inOne(refusals);
  }
}

/** As a kubelet lists them: each message once, in brackets where there are several. */
function inOne(refusals: readonly unknown[]): unknown {
  const said = [...new Set(refusals.map(explain))];
  if (said.length <= 1) return refusals[0];
  return new Fault("ErrImagePull", `[${said.join(", ")}]`, { cause: refusals[0] });
}
