import { runTokenCleaner } from "./bootstrap-tokens/cleaner.ts";
import { runClusterInfoSigner } from "./bootstrap-tokens/signer.ts";
import { runCertificates } from "./certificates/run.ts";
import type { ControllerContext, ControllerOptions } from "./context.ts";
import { runCronJobs } from "./cronjob/controller.ts";
import { runDaemonSets } from "./daemonset/controller.ts";
import { runDeployments } from "./deployment/controller.ts";
import { runDisruptionBudgets } from "./disruption/controller.ts";
import { runEndpointMirror } from "./endpoint-mirror/controller.ts";
import { runEndpoints } from "./endpoints/controller.ts";
import { runEndpointSlices } from "./endpointslice/controller.ts";
import { runGarbageCollector } from "./garbage/collector.ts";
import { runPodCollector } from "./garbage/pods.ts";
import { openInformers, whenSynced } from "./informers.ts";
import { runNodeIpam } from "./ipam/controller.ts";
import { runJobs } from "./job/controller.ts";
import { runJobExpiry } from "./job/expiry.ts";
import { runJobOrphans } from "./job/orphans.ts";
import { runNamespaceDeletion } from "./namespace/deletion.ts";
import { runRootCaPublisher, runServiceAccounts } from "./namespace/furnish.ts";
import { runNodeAnnotations } from "./node/annotations.ts";
import { runNodeLifecycle } from "./node/lifecycle.ts";
import { runTaintEviction } from "./node/taint-eviction.ts";
import { runReplicaSets } from "./replicaset/controller.ts";
import { runReplicationControllers } from "./replicationcontroller/controller.ts";
import { runRoleAggregation } from "./roles/aggregation.ts";
import { runScheduler } from "./scheduler/controller.ts";
import { ServedResources } from "./served-resources.ts";
import { runStatefulSets } from "./statefulset/controller.ts";
import { runTokenSecrets } from "./tokens/controller.ts";
import { runVolumes } from "./volumes/controller.ts";

/** Runs the controllers and the scheduler of a cluster until aborted: all that turns what users ask for into pods on nodes and
 *  endpoints behind Services. None of them acts before every local copy is complete. */
export async function runControllers(options: ControllerOptions): Promise<void> {
  const { signal } = options;
  const informers = openInformers(options);
  const served = new ServedResources(options.client, options.clock);
  const context: ControllerContext = { ...options, informers, served, random: options.random ?? Math.random };
  try {
    await whenSynced(informers);
  } catch (error) {
    if (signal.aborted) return;
    throw error;
  }
  runNodeIpam(context);
  runServiceAccounts(context);
  runRootCaPublisher(context);
  if (context.signToken !== undefined) runTokenSecrets(context, context.signToken);
  runTokenCleaner(context);
  runClusterInfoSigner(context);
  runRoleAggregation(context);
  runNamespaceDeletion(context);
  runNodeLifecycle(context);
  runNodeAnnotations(context);
  runTaintEviction(context);
  runDeployments(context);
  runReplicaSets(context);
  runDaemonSets(context);
  runStatefulSets(context);
  runJobs(context);
  runJobOrphans(context);
  runJobExpiry(context);
  runCronJobs(context);
  runEndpointSlices(context);
  runEndpoints(context);
  runEndpointMirror(context);
  runVolumes(context);
  runDisruptionBudgets(context);
  await Promise.all([
    runReplicationControllers(context),
    runScheduler({ ...context, client: options.schedulerClient ?? options.client }),
    runGarbageCollector(context),
    runPodCollector(context),
    runCertificates(context),
  ]);
}
