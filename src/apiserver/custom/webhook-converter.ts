import { randomUUID } from "node:crypto";
import { explain } from "#fault/fault";
import type { WebhookClientConfig, WebhookConversion } from "#kube/generated/types";
import { isObject, type Json, type JsonObject, listAt, objectAt, textAt } from "../json.ts";
import { StatusFault } from "../status.ts";
import type { WebhookCaller } from "../webhook/caller.ts";
import { type Converter, conversionProblem, withOwnMetadata } from "./conversion.ts";

const TIMEOUT_MS = 30_000;
/** How many objects one question is about. */
const MAX_BATCH = 100;
const REVIEW = "apiextensions.k8s.io/";

interface Waiting {
  readonly object: JsonObject;
  readonly resolve: (object: JsonObject) => void;
  readonly reject: (error: unknown) => void;
}

/** Converts by asking a webhook. What is asked for in one turn of the loop goes out as one question. */
export class WebhookConverter implements Converter {
  readonly waits = true;
  readonly #caller: WebhookCaller;
  readonly #config: WebhookClientConfig;
  readonly #reviewVersion: string;
  readonly #waiting = new Map<string, Waiting[]>();

  constructor(webhook: WebhookConversion | undefined, caller: WebhookCaller) {
    this.#caller = caller;
    this.#config = webhook?.clientConfig ?? {};
    this.#reviewVersion =
      (webhook?.conversionReviewVersions ?? []).find((version) => isKnown(version)) ?? "v1";
  }

  /** @throws {StatusFault} InternalError `conversion webhook for example.com/v1, Kind=Widget failed: why` */
  convert(object: JsonObject, apiVersion: string): Promise<JsonObject> {
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(apiVersion) ?? [];
      if (queue.length === 0) {
        this.#waiting.set(apiVersion, queue);
        setImmediate(() => this.#send(apiVersion));
      }
      queue.push({ object, resolve, reject });
    });
  }

  #send(apiVersion: string): void {
    const queue = this.#waiting.get(apiVersion) ?? [];
    this.#waiting.delete(apiVersion);
    for (let at = 0; at < queue.length; at += MAX_BATCH)
      void this.#ask(queue.slice(at, at + MAX_BATCH), apiVersion);
  }

  async #ask(batch: readonly Waiting[], apiVersion: string): Promise<void> {
    const first = batch[0]?.object ?? {};
    const what = `${textAt(first, "apiVersion") ?? ""}, Kind=${textAt(first, "kind") ?? ""}`;
    try {
      const converted = await this.#converted(batch, apiVersion);
      if (converted.length !== batch.length)
        throw new Error(`returned ${converted.length} objects, expected ${batch.length}`);
      for (const [i, each] of batch.entries()) settle(each, converted[i] ?? null, { apiVersion, what, i });
    } catch (error) {
      const verb = explain(error).startsWith("returned ") ? "" : "failed: ";
      for (const { reject } of batch)
        reject(fault(`conversion webhook for ${what} ${verb}${explain(error)}`));
    }
  }

  async #converted(batch: readonly Waiting[], apiVersion: string): Promise<readonly Json[]> {
    const uid = randomUUID();
    const review = {
      kind: "ConversionReview",
      apiVersion: REVIEW + this.#reviewVersion,
      request: { uid, desiredAPIVersion: apiVersion, objects: batch.map(({ object }) => object) },
    };
    const answer = await this.#caller.post(this.#config, {
      body: JSON.stringify(review),
      timeoutMs: TIMEOUT_MS,
      saysTimeout: true,
    });
    return convertedObjects(answer, { uid, reviewVersion: this.#reviewVersion });
  }
}

function isKnown(version: string): boolean {
  return version === "v1" || version === "v1beta1";
}

function convertedObjects(
  answer: unknown,
  { uid, reviewVersion }: { readonly uid: string; readonly reviewVersion: string },
): readonly Json[] {
  const apiVersion = textAt(answer, "apiVersion") ?? "";
  const kind = textAt(answer, "kind") ?? "";
  if (reviewVersion === "v1" && (apiVersion !== `${REVIEW}v1` || kind !== "ConversionReview"))
    throw new Error(
      `expected webhook response of ${REVIEW}v1, Kind=ConversionReview, got ${apiVersion || "/"}, Kind=${kind}`,
    );
  const response = objectAt(answer, "response");
  if (response === undefined) throw new Error("no response provided");
  const given = textAt(response, "uid") ?? "";
  if (reviewVersion === "v1" && given !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(given)}`);
  const result = objectAt(response, "result");
  const status = textAt(result, "status") ?? "";
  if (status !== "Success")
    throw new Error(textAt(result, "message") || `response.result.status was '${status}', not 'Success'`);
  return listAt(response, "convertedObjects") ?? [];
}

function settle(
  { object, resolve, reject }: Waiting,
  converted: Json,
  { apiVersion, what, i }: { readonly apiVersion: string; readonly what: string; readonly i: number },
): void {
  const problem = answerProblem(object, converted, { apiVersion, i });
  if (problem === undefined && isObject(converted)) resolve(withOwnMetadata(object, converted));
  else reject(fault(`conversion webhook for ${what} returned invalid ${problem}`));
}

function answerProblem(
  object: JsonObject,
  converted: Json,
  { apiVersion, i }: { readonly apiVersion: string; readonly i: number },
): string | undefined {
  if (!isObject(converted)) return `converted object at index ${i}: it is not an object`;
  const given = textAt(converted, "apiVersion") ?? "";
  if (given !== apiVersion)
    return `object at index ${i}: invalid groupVersion (expected ${apiVersion}, received ${given})`;
  const problem = conversionProblem(object, converted);
  return problem === undefined ? undefined : `object: ${problem}`;
}

function fault(message: string): StatusFault {
  return new StatusFault("InternalError", message);
}
