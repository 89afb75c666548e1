import { isDeleting } from "#kube/owner";
import { SECRETS } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { timeLeft } from "./fields.ts";

/** Bootstrap tokens that have ended are removed, at the moment they end. @see kubernetes pkg/controller/bootstrap/tokencleaner.go */
export function runTokenCleaner(context: ControllerContext): void {
  const { client, clock, informers } = context;
  const queue = openQueue(context, "token-cleaner", {
    workers: 1,
    work: async (key) => {
      const secret = informers.bootstrapTokens.get(key);
      if (secret === undefined || isDeleting(secret)) return undefined;
      const left = timeLeft(secret, clock.now());
      if (left === undefined || left > 0) return left;
      const { namespace, name, uid } = secret.metadata;
      await client.delete(SECRETS, { namespace, name }, uid === undefined ? {} : { uid });
      return undefined;
    },
  });
  informers.bootstrapTokens.subscribe((change) => {
    if (change.type !== "removed") queue.add(change.key);
  });
}
