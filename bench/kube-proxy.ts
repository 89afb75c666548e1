/** A real kube-proxy beside us in `bench/services.ts`, against our API server. Debian has none: name one with KUBE_PROXY. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Target } from "./api-load.ts";

const TICKS_PER_SECOND = 100;

export interface KubeProxy extends AsyncDisposable {
  readonly pid: number;
  rssMib(): number;
  cpuSeconds(): number;
}

export interface KubeProxyOptions {
  readonly netns: string;
  readonly directory: string;
  readonly target: Target;
  readonly mode: "nftables" | "iptables";
}

/** Its version, empty for a build that was not told; undefined where there is none. */
export function kubeProxyVersion(): string | undefined {
  const program = process.env["KUBE_PROXY"];
  if (program === undefined) return undefined;
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return /v[1-9][\d.]+/.exec(stdout ?? "")?.[0] ?? "";
}

/** As it comes, but for the second that it lets pass between two changes: here it need not. */
export function startKubeProxy({ netns, directory, target, mode }: KubeProxyOptions): KubeProxy {
  const file = (name: string) => join(directory, `${mode}-${name}`);
  writeFileSync(file("kubeconfig"), kubeconfigText(target));
  writeFileSync(file("config"), configText(mode, file("kubeconfig")));
  const log = openSync(file("log"), "w");
  const words = ["netns", "exec", netns, process.env["KUBE_PROXY"] ?? "", `--config=${file("config")}`];
  const child = spawn("ip", words, { stdio: ["ignore", log, log] });
  const gone = once(child, "exit");
  const pid = child.pid ?? 0;
  return {
    pid,
    rssMib: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024,
    cpuSeconds: () => {
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      // Its own, and that of the programs it has waited for.
      return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / TICKS_PER_SECOND;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await gone;
    },
  };
}

function configText(mode: string, kubeconfig: string): string {
  return JSON.stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode,
    clusterCIDR: "10.42.0.0/16",
    hostnameOverride: "here",
    clientConnection: { kubeconfig },
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    nftables: { minSyncPeriod: "1ms" },
    iptables: { minSyncPeriod: "1ms" },
  });
}

function kubeconfigText({ url, ca, admin }: Target): string {
  const data = (text: string) => Buffer.from(text).toString("base64");
  const user = { "client-certificate-data": data(admin.cert), "client-key-data": data(admin.key) };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "bench", cluster: { server: url, "certificate-authority-data": data(ca) } }],
    users: [{ name: "bench", user }],
    contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
    "current-context": "bench",
  });
}
