import { explain } from "#fault/fault";
import type { KubeClient } from "#kube/client";
import { openInformer } from "#kube/open-informer";
import { NODES } from "#kube/resources";
import { retry } from "#life/backoff";
import { systemClock } from "#life/clock";
import type { Logger } from "#telemetry/log";

const LABEL = "node-role.kubernetes.io/control-plane";
const RETRY = { firstMs: 50, maxMs: 5000 };

/** The server's own node says that it is one. The node itself may not: nodes do not give themselves roles. */
export async function labelControlPlane(
  client: KubeClient,
  name: string,
  { log, signal }: { readonly log: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const watching = { clock: systemClock, log, signal, fieldSelector: `metadata.name=${name}` };
  const nodes = openInformer(client, NODES, watching);
  nodes.subscribe((change) => {
    if (change.type === "removed" || change.object.metadata.labels?.[LABEL] === "true") return;
    retry(
      () => client.patch(NODES, { name }, { metadata: { labels: { [LABEL]: "true" } } }, { type: "merge" }),
      {
        clock: systemClock,
        shape: RETRY,
        signal,
        onFailure: (error) =>
          log.warn("could not label this node as a server; will try again", { error: explain(error) }),
      },
    ).catch((error: unknown) => {
      if (!signal.aborted) log.error("could not label this node as a server", { error: explain(error) });
    });
  });
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
