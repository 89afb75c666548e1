import { explain } from "#fault/fault";
import type { KubeClient } from "#kube/client";
import type { Node } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { NODES } from "#kube/resources";
import { retry } from "#life/backoff";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { FABRIC_ENDS_KEY } from "#wire/fabric-ends";

export interface WithdrawOptions {
  readonly client: KubeClient;
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A cluster that brings its own network: the word of a fabric that ran here once goes from our Node. Flannel's stay, for a
 *  flannel that somebody has installed goes by them. */
export async function withdrawEnds({ client, nodes, nodeName, ...options }: WithdrawOptions): Promise<void> {
  const { clock, log, signal } = options;
  const withdraw = async () => {
    await nodes.synced;
    const node = nodes.list().find(({ metadata }) => metadata.name === nodeName);
    if (node?.metadata.annotations?.[FABRIC_ENDS_KEY] === undefined) return;
    const metadata = { annotations: { [FABRIC_ENDS_KEY]: null } };
    await client.patch(NODES, { name: nodeName }, { metadata }, { type: "strategic", subresource: "status" });
    log.info("this node no longer tells ends of a fabric", { annotation: FABRIC_ENDS_KEY });
  };
  const onFailure = (error: unknown, waitMs: number) =>
    log.warn("an annotation of the past could not be taken away; will try again", {
      annotation: FABRIC_ENDS_KEY,
      error: explain(error),
      waitMs,
    });
  try {
    await retry(withdraw, { clock, shape: { firstMs: 200, maxMs: 10_000 }, signal, onFailure });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
