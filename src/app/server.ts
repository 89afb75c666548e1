/** A server node, composed: the API in its thread, the controllers, the packaged components, and this machine's own agent. */
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { cidrFamily, nthIp } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import type { Ip } from "#addr/ip";
import { Fault } from "#fault/fault";
import type { Certified } from "#join/certificate";
import { writeFileAtomic } from "#join/file";
import { openKernel } from "#kernel/open";
import { openClient } from "#kube/http-client";
import { formatKubeconfig } from "#kube/kubeconfig";
import { systemClock } from "#life/clock";
import type { Live } from "#life/live";
import { workerUrl } from "#life/worker-url";
import type { Logger } from "#telemetry/log";
import { runAddons } from "./addons.ts";
import { runAgent } from "./agent.ts";
import type { ApiNews, ApiTask } from "./api-protocol.ts";
import { runServerCloud } from "./cloud.ts";
import type { ServerConfig } from "./config/config.ts";
import { labelControlPlane } from "./control-plane-label.ts";
import { leadControllers } from "./controllers.ts";
import type { Life } from "./life.ts";
import { followServing, joinAs } from "./membership.ts";
import { fitNodeIps, followNodeIps, ownNodeIps } from "./node-ips.ts";
import { ownSignal } from "./own-signal.ts";
import { openRelay } from "./relay.ts";
import { VERSION } from "./version.ts";

type Ready = Extract<ApiNews, { kind: "ready" }>;

/** Runs until aborted, or until a part of it ends with an error. */
export async function runServer(
  config: ServerConfig,
  { log, signal, imagesDir, program }: Life,
): Promise<void> {
  using kernel = openKernel();
  const { node, cluster: networks } = config;
  const own = { kernel, node, log, signal };
  const found = await ownNodeIps(own, networks.clusterCidrs);
  const nodeIps = followNodeIps(fitNodeIps(found, { node, networks, log }), { ...own, networks });
  const task = taskOf(config, nodeIps.current);
  using _told = nodeIps.subscribe((ips) => tellAdvertised(task, found, ips, log));
  const api = await startApi(task, signal);
  const url = `https://127.0.0.1:${config.cluster.httpsPort}`;
  const kubeconfigOf = ({ certPem: cert, keyPem: key }: Certified) =>
    formatKubeconfig({ server: url, ca: api.ready.serverCaPem, cert, key });
  writeFileAtomic(config.kubeconfig.path, kubeconfigOf(api.ready.admin), config.kubeconfig.mode);
  log.info("the API answers", { url, kubeconfig: config.kubeconfig.path });
  if (config.inherited.relay) openRelay(config.inherited.relay.fd, config.inherited.relay, signal);
  const clientAs = ({ certPem, keyPem }: Certified, name: string) =>
    openClient({
      server: url,
      ca: api.ready.serverCaPem,
      cert: certPem,
      key: keyPem,
      userAgent: `${name}/${VERSION}`,
      clock: systemClock,
    });
  await using client = clientAs(api.ready.controller, "twill-controllers");
  await using schedulerClient = clientAs(api.ready.scheduler, "twill-scheduler");
  await using cloudClient = clientAs(api.ready.cloudController, "twill-cloud-controller");
  using parts = ownSignal(signal);
  const life = { log, signal: parts.signal, imagesDir, program };
  await Promise.all([
    api.ended,
    leadControllers(
      config,
      { client, schedulerClient, serverCa: api.ready.serverCaPem, signing: api.ready.signing },
      { log: log.child({ room: "controllers" }), signal: life.signal },
    ),
    runServerCloud(
      config,
      { client, cloudClient, kubeconfig: kubeconfigOf(api.ready.cloudController) },
      { ...life, log: log.child({ room: "cloud" }) },
    ),
    runAddons(config, client, { ...life, log: log.child({ room: "addons" }) }),
    labelControlPlane(client, config.node.name, life),
    runOwnAgent(config, { nodeIps, url, token: api.ready.token }, life, kernel),
  ]);
}

async function runOwnAgent(
  config: ServerConfig,
  { nodeIps, url, token }: { nodeIps: Live<readonly Ip[]>; url: string; token: string },
  { log, signal, imagesDir, program }: Life,
  kernel: ReturnType<typeof openKernel>,
): Promise<void> {
  const joining = { serverUrl: url, token, node: config.node, log, signal };
  const membership = await joinAs(nodeIps.current, joining);
  await runAgent({
    kernel,
    node: config.node,
    nodeIps,
    serving: followServing(membership.serving, nodeIps, joining),
    membership,
    imagesDir,
    program,
    clock: systemClock,
    log,
    signal,
  });
}

/** What agents and pods know the API by is settled at the start. */
function tellAdvertised({ advertise }: ApiTask, first: readonly Ip[], now: readonly Ip[], log: Logger): void {
  if (!first.includes(advertise.ip) || now.includes(advertise.ip)) return;
  log.warn(
    "the API is still advertised at an address that this server has no more; restart it to advertise another",
    { advertised: advertise.ip, has: now },
  );
}

function taskOf(config: ServerConfig, nodeIps: readonly Ip[]): ApiTask {
  const { cluster, node } = config;
  const first = cluster.serviceCidrs[0];
  const ip = config.advertiseAddress ?? node.externalIps[0] ?? nodeIps[0];
  if (!first || !ip)
    throw new Error("broken invariant: a configuration has a service network and an address");
  const names = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    `kubernetes.default.svc.${cluster.clusterDomain}`,
  ];
  const own = [
    FAMILY[4].loopback,
    FAMILY[6].loopback,
    "localhost",
    node.name,
    ...nodeIps,
    ...node.externalIps,
    ip,
  ];
  const sans = new Set([
    ...own,
    ...cluster.serviceCidrs.map((cidr) => nthIp(cidr, 1)),
    ...names,
    ...config.tlsSans,
  ]);
  if (cidrFamily(first) !== (ip.includes(":") ? 6 : 4)) {
    throw new Fault(
      "BadConfig",
      `Cannot advertise ${ip}: the first --service-cidr ${first} is of the other family; use --advertise-address`,
    );
  }
  return {
    serverDir: join(node.dataDir, "server"),
    cluster,
    sans: [...sans],
    token: config.token,
    agentToken: config.agentToken,
    advertise: { ip, port: cluster.httpsPort },
    bindAddress: config.bindAddress,
    listenFds: config.inherited.api,
    serviceCidrs: cluster.serviceCidrs,
    apiServer: config.apiServer,
    isDebug: node.isDebug,
  };
}

/** Starts the API's thread and waits until it answers. `ended` settles when the thread does: with an error unless we stopped it. */
async function startApi(task: ApiTask, signal: AbortSignal): Promise<{ ready: Ready; ended: Promise<void> }> {
  const worker = new Worker(
    workerUrl(import.meta.url, { source: "./api-worker.ts", bundled: "./api-worker.mjs" }),
    {
      workerData: task,
      name: "api",
    },
  );
  signal.addEventListener("abort", () => worker.postMessage("stop"), { once: true });
  const answers = Promise.withResolvers<Ready>();
  const ended = new Promise<void>((resolve, reject) => {
    worker.on("message", (news: ApiNews) => {
      if (news.kind === "ready") answers.resolve(news);
      else reject(new Fault(news.code, news.message));
    });
    worker.once("error", reject);
    worker.once("exit", (code) =>
      signal.aborted
        ? resolve()
        : reject(new Fault("ApiEnded", `The API's thread ended with code ${code}; start the server again`)),
    );
  });
  ended.catch(() => {});
  const ready = await Promise.race([answers.promise, ended]);
  if (!ready) throw signal.reason;
  return { ready, ended };
}
