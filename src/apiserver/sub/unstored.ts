import { PODS } from "#kube/resources";
import { noSuchPath, wrongMethod } from "../status.ts";
import type { Call } from "../verbs/call.ts";
import { bindNamed } from "./binding.ts";
import { REVIEWS, review } from "./reviews.ts";

/** Answers what is posted and never stored: reviews, and bindings by their old path. False when the path is neither.
 *  @throws {StatusFault} */
export async function answerUnstored(exchange: Omit<Call, "cache" | "view">): Promise<boolean> {
  const { info, request, api } = exchange;
  const isBinding = info.group === "" && info.version === "v1" && info.plural === "bindings";
  const found = REVIEWS.find(({ group, plural }) => group === info.group && plural === info.plural);
  if (!isBinding && (found === undefined || info.version !== "v1")) return false;
  const namespaced = found?.namespaced ?? true;
  if (info.name !== undefined || namespaced !== (info.namespace !== undefined)) throw noSuchPath();
  if (request.method !== "POST") throw wrongMethod();
  if (found !== undefined) await review(found, { ...exchange, audit: exchange.audit });
  else {
    const view = api.world.viewOf(PODS);
    if (view === undefined) return false;
    await bindNamed({ ...exchange, view, cache: view.cache });
  }
  return true;
}
