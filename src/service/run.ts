import type { NetKernel } from "#kernel/kernel";
import type { EndpointSlice, Node, Service, ServiceCIDR } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import type { Clock } from "#life/clock";
import { Turns } from "#life/turns";
import { type ReconcileOptions, reconcile } from "#reconcile/loop";
import type { Logger } from "#telemetry/log";
import { applyServices } from "./apply.ts";
import { DesiredServices, programsOf } from "./controller.ts";
import { ForeignLooks } from "./foreign-looks.ts";
import type { ServiceConfig, ServiceOp, ServiceState } from "./model.ts";
import { observeServices } from "./observe.ts";
import { planServices } from "./plan.ts";
import type { ServiceProblem } from "./problems.ts";
import { ProgramRules } from "./program-rules.ts";
import { renderServices } from "./render.ts";
import { Touched } from "./touched.ts";

export type { ServiceConfig } from "./model.ts";

/** One round keeps the thread busy for some milliseconds: so many services are looked at, and about so many changes sent. */
const AT_ONCE = 100;
const CHANGES_AT_ONCE = 2_000;

export type ServiceRound = Parameters<NonNullable<ReconcileOptions<unknown>["onRound"]>>[0] & {
  /** Whether the next rounds carry out what was already there to be done. */
  readonly hasMore: boolean;
};

export interface ServiceProxyOptions {
  readonly kernel: Pick<NetKernel, "netlink" | "nft" | "conntrack" | "openChanges" | "openFilters">;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  /** All of the cluster's: the own one says where this node is, and all of them who is no stranger. */
  readonly nodes: Informer<Node>;
  /** Ranges of ClusterIPs besides those configured. */
  readonly serviceCidrs?: Informer<ServiceCIDR>;
  readonly nodeName: string;
  readonly config: ServiceConfig;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onRound?: (round: ServiceRound) => void;
  /** Hears everything that is wrong with objects now, sorted, each time it is something else. */
  readonly onProblems?: (problems: readonly ServiceProblem[]) => void;
}

/** Makes this node route services until aborted. Nothing is programmed before the informers have all there is; what a former
 *  run left in the kernel is taken over as it stands, and stays when this one ends. */
export async function runServiceProxy(options: ServiceProxyOptions): Promise<void> {
  const { services, endpointSlices, nodes, serviceCidrs, kernel, config } = options;
  const { clock, log, signal, onRound } = options;
  const touched = new Touched(options);
  try {
    const informers = [services, endpointSlices, nodes, ...(serviceCidrs ? [serviceCidrs] : [])];
    const all = informers.map(({ synced }) => synced);
    await untilSynced(all, signal);
    if (signal.aborted) return;
    const programs = programsOf(config);
    const slices = touched.slices;
    const source = {
      service: (name: string) => services.get(name),
      slices: (name: string) => slices.of(name),
    };
    const desired = new DesiredServices(programs, source, config);
    const tellNew = whenOther(options.onProblems);
    const rules = new ProgramRules(kernel, programs, config);
    const tools = { nft: kernel.nft, conntrack: kernel.conntrack, rules };
    const looks = new ForeignLooks(clock);
    /** How long the last look at everything took, until it is known what it was good for. */
    let lookMs: number | undefined;
    const hasMore = () => touched.hasMore || desired.hasMore;
    touched.start();
    await Promise.all([
      touched.watch(looks),
      reconcile<void, ServiceState, ServiceOp>(
        {
          desired: () => {
            const want = desired.update(touched.take(AT_ONCE), touched.situation(), CHANGES_AT_ONCE);
            if (hasMore()) touched.wakeSoon();
            tellNew(desired.problems);
            return want;
          },
          plan: (want, known) => {
            const ops = planServices(want, known, { programs, config });
            if (lookMs !== undefined) looks.looked(lookMs, ops.some(changesSomething));
            lookMs = undefined;
            return ops;
          },
          render: renderServices,
          apply: (ops, known) => applyServices(ops, known, tools),
          observe: async () => {
            const from = performance.now();
            const standing = await observeServices(programs, kernel.nft, rules);
            lookMs = performance.now() - from;
            const known = desired.adopt(standing);
            await lookAtAll(touched, desired, signal);
            return known;
          },
        },
        {
          snapshots: touched.news(),
          disturbances: looks.values(options),
          clock,
          log,
          signal,
          onRound: (round) => onRound?.({ ...round, hasMore: hasMore() }),
        },
      ),
    ]);
  } finally {
    touched.stop();
  }
}

function changesSomething(op: ServiceOp): boolean {
  return op.op === "load" || op.op === "chains" || (op.op === "elements" && op.changes.length > 0);
}

/** Nothing is wanted before all services have been looked at: of two that want one address, the second one may be its owner. */
async function lookAtAll(touched: Touched, desired: DesiredServices, signal: AbortSignal): Promise<void> {
  const turns = new Turns();
  while (touched.hasMore && !signal.aborted) {
    desired.look(touched.take(1), touched.surroundings);
    await turns.rest();
  }
  for (const _ of desired.settle()) if (turns.isOver) await turns.rest();
}

/** Passes on what is another value than the last one. */
function whenOther<T>(tell: ((value: T) => void) | undefined): (value: T) => void {
  let last: T | undefined;
  return (value) => {
    if (value === last) return;
    last = value;
    tell?.(value);
  };
}

/** Resolves when all have, or as soon as the signal aborts. */
async function untilSynced(synced: readonly Promise<void>[], signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(synced), aborted]);
}
