/** Whether what the API said has reached the kernel in time. @see kubernetes pkg/proxy/healthcheck/proxy_health.go */
import type { Family } from "#addr/family";
import type { Node } from "#kube/generated/types";
import type { Clock } from "#life/clock";

/** Put on a Node whose machine is about to go. */
const DOOMED_TAINT = "ToBeDeletedByClusterAutoscaler";

/** As kube-proxy prints it. */
export interface HealthBody {
  readonly lastUpdated: string;
  readonly currentTime: string;
  readonly nodeEligible?: boolean;
  readonly healthy: boolean;
  readonly status?: Readonly<Record<string, { readonly lastUpdated: string; readonly healthy: boolean }>>;
}

/** What Go prints for a time that never was. */
const NEVER = "0001-01-01T00:00:00Z";

/** A change that waits longer than `patienceMs` makes it unhealthy, until a round succeeds. */
export class ProxyHealth {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  readonly #families: readonly Family[];
  #queuedMs: number | undefined;
  #updatedMs: number | undefined;

  constructor(options: {
    readonly clock: Clock;
    readonly patienceMs: number;
    readonly families: readonly Family[];
  }) {
    this.#clock = options.clock;
    this.#patienceMs = options.patienceMs;
    this.#families = options.families;
  }

  /** A change came that the kernel does not have yet. */
  queued(): void {
    this.#queuedMs ??= this.#clock.now();
  }

  /** The kernel has all that came. */
  updated(): void {
    this.#queuedMs = undefined;
    this.#updatedMs = this.#clock.now();
  }

  get isHealthy(): boolean {
    return this.#queuedMs === undefined || this.#clock.now() - this.#queuedMs < this.#patienceMs;
  }

  /** @param nodeEligible left out where it does not count */
  body(nodeEligible?: boolean): HealthBody {
    const now = new Date(this.#clock.now()).toISOString();
    const updated = this.#updatedMs === undefined ? NEVER : new Date(this.#updatedMs).toISOString();
    const healthy = this.isHealthy;
    const status = Object.fromEntries(
      (this.#updatedMs === undefined ? [] : this.#families).map((family) => [
        `IPv${family}`,
        { lastUpdated: updated, healthy },
      ]),
    );
    return {
      // A healthy one is up to date now, whenever its last change was.
      lastUpdated: healthy && nodeEligible !== false ? now : updated,
      currentTime: now,
      ...(nodeEligible === undefined ? {} : { nodeEligible }),
      healthy,
      ...(this.#updatedMs === undefined ? {} : { status }),
    };
  }
}

/** Whether load balancers of the cluster's should still send to this node. */
export function isEligible(node: Node | undefined): boolean {
  if (node === undefined || node.metadata.deletionTimestamp !== undefined) return false;
  return !(node.spec?.taints ?? []).some(({ key }) => key === DOOMED_TAINT);
}
