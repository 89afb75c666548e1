import type { Secret } from "#kube/generated/types";
import { ticks } from "#life/clock";
import { openStore } from "#store/open";
import type { Store } from "#store/store";
import { Metrics } from "#telemetry/metrics";
import { authorizedAdmission } from "./admission/authorized.ts";
import { openAdmission } from "./admission/chain.ts";
import { openDynamicAdmission } from "./admission/dynamic/open.ts";
import { openQuotas } from "./admission/quota/status.ts";
import type { Api } from "./api.ts";
import { AuditLog } from "./audit/audit.ts";
import { Authenticator, PUBLIC_PATHS } from "./auth/authenticate.ts";
import { ClusterAuthorizer } from "./auth/authorize.ts";
import { Impersonator } from "./auth/impersonate.ts";
import { NodeAuthorizer } from "./auth/node-authorizer.ts";
import { NodeGraph } from "./auth/node-graph.ts";
import { Rbac } from "./auth/rbac.ts";
import { TokenIssuer } from "./auth/token.ts";
import { createFirstObjects, keepFirstObjects } from "./bootstrap.ts";
import { World } from "./cache/world.ts";
import { Lifecycle } from "./custom/lifecycle.ts";
import { CustomKinds } from "./custom/registry.ts";
import { type Check, Health } from "./discovery/health.ts";
import { expireEvents } from "./expire.ts";
import { Handler } from "./handler.ts";
import { beginTracking, LegacyTokenUse } from "./legacy-tokens.ts";
import type { ApiServer, ApiServerOptions } from "./options.ts";
import { responseToUpgrade } from "./request/upgrade.ts";
import { reconcileRoles } from "./role-reconcile.ts";
import { ServiceAddresses } from "./service-addresses.ts";
import { KubeletProxy } from "./sub/kubelet.ts";
import { processMetrics } from "./traffic/process-metrics.ts";
import { RequestMeter } from "./traffic/request-meter.ts";
import { measureStore, objectMetrics } from "./traffic/store-metrics.ts";
import { Writer } from "./verbs/writer.ts";
import { WebhookCaller } from "./webhook/caller.ts";

export type { ApiServer, ApiServerOptions } from "./options.ts";

/** How much history a watch can rely on. */
const HISTORY_MS = 5 * 60_000;

/** Opens the store, loads everything into memory, makes the objects every cluster has, and is then ready to answer. */
export async function openApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { clock, log, kinds } = options;
  const closing = new AbortController();
  const signal = AbortSignal.any([options.signal, closing.signal]);
  const metrics = new Metrics();
  const store = measureStore(await openStore({ path: options.storePath }), metrics);
  const world = new World(store, kinds);
  objectMetrics(world, metrics);
  processMetrics(metrics);
  const quotas = openQuotas(world, clock);
  const authorizer = new ClusterAuthorizer({
    rbac: new Rbac(world),
    nodes: new NodeAuthorizer(new NodeGraph(world)),
  });
  const caller = new WebhookCaller(world, { signal });
  const admission = [
    ...(options.admission ?? openAdmission()),
    ...authorizedAdmission(authorizer),
    ...openDynamicAdmission({ world, authorizer, caller, log }),
    quotas.admission,
  ];
  const writer = new Writer(world, { clock, admission });
  const legacy = new LegacyTokenUse({ world, writer, clock, log });
  const onLegacyUse = (secret: Secret) => legacy.note(secret);
  const tokens = new TokenIssuer({ world, clock, onLegacyUse, ...options.serviceAccount });
  const api: Api = {
    options,
    world,
    writer,
    tokens,
    authenticator: new Authenticator({ tokens, world, clock, anonymous: options.anonymous ?? PUBLIC_PATHS }),
    authorizer,
    impersonator: new Impersonator(authorizer),
    audit: options.audit && new AuditLog(options.audit, clock),
    kubelets: new KubeletProxy(options.kubelet, options.dialKubelet),
    metrics,
    meter: new RequestMeter(metrics),
    health: openHealth(store, signal),
    clock,
    log,
    signal,
  };
  const customKinds = new CustomKinds(world, { caller, log });
  customKinds.follow();
  await createFirstObjects(api);
  await reconcileRoles(api);
  await beginTracking(api);
  const addresses = new ServiceAddresses(api);
  await addresses.start();
  const chores = Promise.all([
    keepCompact(api),
    expireEvents(api),
    keepFirstObjects(api),
    addresses.run(),
    quotas.run(api),
    new Lifecycle(api, customKinds).run(),
  ]);
  const handler = new Handler(api);
  return {
    ended: store.ended,
    handle: (request, response) => {
      void handler.handle(request, response);
    },
    upgrade: (request, socket, head) => {
      void handler.handle(request, responseToUpgrade(request, { socket, head }));
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      caller[Symbol.dispose]();
      await chores;
      await store[Symbol.asyncDispose]();
      await options.audit?.sink[Symbol.asyncDispose]();
    },
  };
}

/** The server answers at all only once what it begins with is made. */
function openHealth(store: Store, signal: AbortSignal): Health {
  let lost: string | undefined;
  void store.ended.then(({ message }) => {
    lost = message;
  });
  const done = (name: string): Check => ({ name: `poststarthook/${name}`, problem: () => undefined });
  return new Health([
    { name: "etcd", problem: () => lost },
    { name: "etcd-readiness", onlyReady: true, problem: () => lost },
    { name: "informer-sync", onlyReady: true, problem: () => undefined },
    done("rbac/bootstrap-roles"),
    done("scheduling/bootstrap-system-priority-classes"),
    done("start-service-ip-repair-controllers"),
    {
      name: "shutdown",
      onlyReady: true,
      problem: () => (signal.aborted ? "process is shutting down" : undefined),
    },
  ]);
}

/** Every five minutes, forgets what happened more than five minutes ago. */
async function keepCompact({ world, clock, signal, log }: Api): Promise<void> {
  let before = world.revision;
  for await (const _ of ticks(clock, HISTORY_MS, { signal })) {
    try {
      await world.compact(before);
    } catch (error) {
      log.warn("the store's history could not be shortened", { error });
    }
    before = world.revision;
  }
}
