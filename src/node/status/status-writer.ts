import { isDeepStrictEqual } from "node:util";
import { explain } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Pod, PodCondition, PodStatus } from "#kube/generated/types";
import { PODS } from "#kube/resources";
import { Backoff } from "#life/backoff";
import { type Clock, ticks } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { isStatic } from "../admission/critical.ts";
import { isOwnCondition } from "./conditions.ts";

/** Others may overwrite a pod's status (the node controller does while a node is away): it is compared this often. */
const COMPARE_MS = 10_000;

export interface StatusWriterOptions {
  readonly client: KubeClient;
  /** The pod as the API last showed it; of one from a file, its mirror. */
  readonly observed: (uid: string) => Pod | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface Entry {
  readonly pod: Pod;
  status: PodStatus;
  /** What the API has answered to the last write. */
  written: PodStatus | undefined;
  writing: Promise<void> | undefined;
}

/** Keeps what the API says of each pod's status equal to what the node last said, one write in flight per pod, newest wins. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** Says what the pod's status is; it is written in the background, only if it differs. */
  set(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid ?? "";
    const entry = this.#entries.get(uid);
    if (entry) entry.status = status;
    else this.#entries.set(uid, { pod, status, written: undefined, writing: undefined });
    this.#kick(uid);
  }

  get(uid: string): PodStatus | undefined {
    return this.#entries.get(uid)?.status;
  }

  /** Resolves once the API has the newest status (or the pod is gone). */
  async settled(uid: string): Promise<void> {
    for (let entry = this.#entries.get(uid); entry?.writing; entry = this.#entries.get(uid))
      await entry.writing;
  }

  /** The API has another object for the pod than before. */
  renew(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry) entry.written = undefined;
    this.#kick(uid);
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  /** Compares all pods again and again until aborted. */
  async run(): Promise<void> {
    for await (const _ of ticks(this.#options.clock, COMPARE_MS, this.#options))
      for (const [uid, entry] of this.#entries) {
        entry.written = undefined;
        this.#kick(uid);
      }
  }

  #kick(uid: string): void {
    const entry = this.#entries.get(uid);
    if (!entry || entry.writing) return;
    entry.writing = this.#writeAll(uid, entry).then((handled) => {
      entry.writing = undefined;
      // Something newer may have been said after the last look.
      if (handled !== entry.status) this.#kick(uid);
    });
  }

  /** @returns the status that needs no further work */
  async #writeAll(uid: string, entry: Entry): Promise<PodStatus> {
    const { clock, log, signal } = this.#options;
    const backoff = new Backoff({ firstMs: 100, maxMs: 10_000 });
    while (!signal.aborted && this.#entries.get(uid) === entry) {
      const { status } = entry;
      const target = this.#options.observed(uid);
      if (!target && isStatic(entry.pod)) return status; // It is told once there is a mirror.
      const known = entry.written ?? target?.status;
      if (known && covers(known, status)) return status;
      try {
        const answer = await this.#write(target ?? entry.pod, status, known);
        entry.written = answer.status;
        if (entry.status === status) return status;
      } catch (error) {
        if (isOver(error)) return status;
        log.warn("a pod's status could not be written; will try again", {
          pod: entry.pod.metadata.name,
          error: explain(error),
        });
        await clock.sleep(backoff.nextMs(), { signal }).catch(() => undefined);
      }
    }
    return entry.status;
  }

  #write({ metadata }: Pod, status: PodStatus, known: PodStatus | undefined): Promise<Pod> {
    const patch = { metadata: { uid: metadata.uid }, status: statusPatch(status, known ?? {}) };
    return this.#options.client.patch(PODS, metadata, patch, { type: "strategic", subresource: "status" });
  }
}

/** A strategic merge patch to `status`: what is no longer said is removed, and addresses that went are deleted by key. */
export function statusPatch(status: PodStatus, known: PodStatus): Record<string, unknown> {
  const gone = Object.keys(known).filter((key) => OWN.has(key) && !(key in status));
  const ips = new Set(status.podIPs?.map(({ ip }) => ip));
  const oldIps = (known.podIPs ?? []).filter(({ ip }) => !ips.has(ip));
  return {
    ...status,
    // Others' conditions are left to them: what is known of those here may be old.
    ...(status.conditions ? { conditions: conditionsPatch(status.conditions, known.conditions ?? []) } : {}),
    ...Object.fromEntries(gone.map((key) => [key, null])),
    ...(status.podIPs && oldIps.length > 0
      ? { podIPs: [...status.podIPs, ...oldIps.map(({ ip }) => ({ ip, $patch: "delete" }))] }
      : {}),
  };
}

/** Conditions merge by type: what one of them no longer says has to be taken back. */
function conditionsPatch(
  conditions: readonly PodCondition[],
  known: readonly PodCondition[],
): readonly Record<string, unknown>[] {
  const types = new Set(conditions.map(({ type }) => type));
  const gone = known.filter((condition) => isOwnCondition(condition) && !types.has(condition.type));
  const told = conditions.filter(isOwnCondition).map((condition) => {
    const before = known.find(({ type }) => type === condition.type);
    return {
      ...(before?.reason ? { reason: null } : {}),
      ...(before?.message ? { message: null } : {}),
      ...condition,
    };
  });
  return [...told, ...gone.map(({ type }) => ({ type, $patch: "delete" }))];
}

const OWN = new Set<string>([
  "reason",
  "message",
  "podIP",
  "podIPs",
  "initContainerStatuses",
  "ephemeralContainerStatuses",
] satisfies (keyof PodStatus)[]);

/** Whether the API already says all that `status` says. Conditions of other owners do not count. */
export function covers(known: PodStatus, status: PodStatus): boolean {
  const { conditions: knownConditions = [], ...knownRest } = known;
  const { conditions = [], ...rest } = status;
  for (const [key, value] of Object.entries(rest))
    if (key === "observedGeneration" && known.observedGeneration === undefined)
      continue; // An older API.
    else if (!isDeepStrictEqual(plain(knownRest[key as keyof typeof knownRest]), plain(value))) return false;
  if ([...OWN].some((key) => key in knownRest && !(key in rest))) return false;
  const types = new Set(conditions.map(({ type }) => type));
  if (knownConditions.some((condition) => isOwnCondition(condition) && !types.has(condition.type)))
    return false;
  return conditions.filter(isOwnCondition).every((condition) => {
    const other = knownConditions.find(({ type }) => type === condition.type);
    return other !== undefined && isDeepStrictEqual(shape(other), shape(condition));
  });
}

function shape({ type, status, reason, message }: PodCondition): readonly string[] {
  return [type, status, reason ?? "", message ?? ""];
}

/** Empty objects and nulls come and go on the way through an API. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (_key, inner: unknown) => {
      if (inner === null || inner === "") return undefined;
      if (typeof inner === "object" && !Array.isArray(inner) && Object.keys(inner).length === 0)
        return undefined;
      return inner;
    }) ?? "null",
  );
}

/** Whether the pod is gone, or there is another one of the same name: a patch may not change a uid. */
function isOver(error: unknown): boolean {
  if (isApiFault(error, "NotFound", "Conflict")) return true;
  return isApiFault(error, "Invalid") && error.message.includes("metadata.uid");
}
