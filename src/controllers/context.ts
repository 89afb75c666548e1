import type { Cidr } from "#addr/cidr";
import type { PerFamily } from "#addr/family";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { type EventRecorder, openEventRecorder } from "#kube/event-recorder";
import type { Clock } from "#life/clock";
import { WorkQueue } from "#life/work-queue";
import type { Logger } from "#telemetry/log";
import type { CertificateSigner } from "./certificates/signer.ts";
import type { Informers } from "./informers.ts";
import type { ServedResources } from "./served-resources.ts";
import type { SignToken } from "./tokens/legacy-claims.ts";

export interface ControllerOptions {
  readonly client: KubeClient;
  /** What the scheduler asks with, which may have an identity of its own; `client` unless given. */
  readonly schedulerClient?: KubeClient | undefined;
  readonly clusterCidrs: readonly Cidr[];
  /** Prefix length of each node's pod network. */
  readonly nodeMask: PerFamily<number>;
  /** 100 unless given; 1000 at most. */
  readonly maxEndpointsPerSlice?: number;
  /** PEM, published to every namespace as `kube-root-ca.crt`. */
  readonly serverCa: string;
  /** Signs what approved certificate requests ask for; without it nobody does. */
  readonly certificates?: CertificateSigner | undefined;
  /** Signs the tokens of service-account-token secrets; without it they stay empty. */
  readonly signToken?: SignToken | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** 0 to 1; breaks ties. */
  readonly random?: () => number;
}

/** What every controller works with. */
export interface ControllerContext extends Omit<ControllerOptions, "random"> {
  readonly informers: Informers;
  readonly served: ServedResources;
  readonly random: () => number;
}

export function recorderFor(context: ControllerContext, component: string): EventRecorder {
  const { client, clock, log, signal } = context;
  return openEventRecorder(client, { component, clock, log, signal });
}

/** A queue of object keys whose failures are retried: quietly after a conflict, which only says that the copy was stale. */
export function openQueue(
  context: ControllerContext,
  name: string,
  options: {
    readonly workers: number;
    readonly work: (key: string) => Promise<number | undefined>;
    readonly maxMs?: number;
  },
): WorkQueue<string> {
  const log = context.log.child({ controller: name });
  return new WorkQueue<string>({
    clock: context.clock,
    signal: context.signal,
    workers: options.workers,
    backoff: { firstMs: 5, maxMs: options.maxMs ?? 30_000 },
    work: options.work,
    onFailure: (key, error, waitMs) => {
      const isStale = isApiFault(error, "Conflict", "NotFound", "AlreadyExists");
      log[isStale ? "debug" : "warn"]("will try again", { key, error, waitMs });
    },
  });
}
