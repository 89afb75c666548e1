import { isFault } from "#fault/fault";
import { formatQuantity } from "#kube/quantity";
import { RESOURCE_QUOTAS } from "#kube/resources";
import { type Clock, ticks } from "#life/clock";
import { WorkQueue } from "#life/work-queue";
import type { Logger } from "#telemetry/log";
import type { Admission } from "../../admit.ts";
import { objectKey } from "../../cache/resource-cache.ts";
import type { World } from "../../cache/world.ts";
import { type JsonObject, sameJson } from "../../json.ts";
import { ownWrite } from "../../verbs/own-write.ts";
import type { Writer } from "../../verbs/writer.ts";
import { quotaAdmission } from "./admission.ts";
import { type Account, QuotaLedger } from "./ledger.ts";

const RECOUNT_MS = 30_000;

export interface Quotas {
  readonly admission: Admission;
  /** Writes what is used into the quotas' status as it changes, until aborted. */
  run(life: { readonly writer: Writer; readonly log: Logger; readonly signal: AbortSignal }): Promise<void>;
}

/** Resource quotas: what refuses, and what reports. Usage follows the objects at once, its report a moment later. */
export function openQuotas(world: World, clock: Clock): Quotas {
  let queue: WorkQueue<string> | undefined;
  const ledger = new QuotaLedger(world, clock, (namespace, name) => queue?.add(objectKey(namespace, name)));
  return {
    admission: quotaAdmission(ledger),
    run: async ({ writer, log, signal }) => {
      queue = new WorkQueue<string>({
        clock,
        signal,
        workers: 4,
        backoff: { firstMs: 10, maxMs: 5_000 },
        work: (key) => report(world, writer, ledger, key),
        onFailure: (quota, error) =>
          log.warn("a quota's usage was not written; will try again", { quota, error }),
      });
      // Again after each count: a status that somebody else has written is put right too.
      const reportAll = () => {
        for (const { metadata } of world.list(RESOURCE_QUOTAS))
          queue?.add(objectKey(metadata.namespace, metadata.name));
      };
      reportAll();
      for await (const _ of ticks(clock, RECOUNT_MS, { signal })) {
        ledger.recount();
        reportAll();
      }
    },
  };
}

async function report(world: World, writer: Writer, ledger: QuotaLedger, key: string): Promise<undefined> {
  const [namespace = "", name = ""] = key.split("/");
  const cache = world.cacheOf(RESOURCE_QUOTAS.group, RESOURCE_QUOTAS.plural);
  const account = ledger.accountOf(namespace, name);
  const stored = cache?.get(key);
  if (cache === undefined || account === undefined || stored === undefined) return;
  if (sameJson(statusOf(account), stored.draft()["status"] ?? {})) return;
  const request = ownWrite(cache, namespace, "status");
  try {
    await writer.update(request, name, (live) => {
      const draft = live.draft();
      draft["status"] = statusOf(ledger.accountOf(namespace, name) ?? account);
      return { draft, fieldsAreSet: true };
    });
  } catch (error) {
    if (!isFault(error) || error.code !== "NotFound") throw error;
  }
}

function statusOf({ quota, hard, used }: Account): JsonObject {
  const amounts = [...hard.keys()].map((name) => {
    const amount = used.get(name);
    return [name, amount === undefined ? "0" : formatQuantity(amount)] as const;
  });
  return { hard: { ...quota.spec?.hard }, used: Object.fromEntries(amounts) };
}
