/** A real kube-apiserver beside us in `bench/api.ts`, over an etcd of its own on the same disk. Debian has none: name one with KUBE_APISERVER, or have it
 *  in PATH. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { openAuthority } from "#apiserver/testing/authority";
import { Connections, exchange, type Target } from "./api-load.ts";
import { freePort, startEtcd } from "./etcd.ts";

const START_MS = 60_000;
const TICK_MS = 10;

export interface KubeApiserver extends AsyncDisposable {
  readonly target: Target;
  readonly version: string;
  /** CPU time of kube-apiserver and of its etcd since they started, seconds. */
  cpuSeconds(): number;
  /** Resident memory of both, MiB. */
  rssMib(): number;
}

/** Starts it with its files under `directory`; undefined when it, or an etcd, is not to be had. */
export async function startKubeApiserver(directory: string): Promise<KubeApiserver | undefined> {
  const program = process.env["KUBE_APISERVER"] ?? installed();
  if (program === "") return undefined;
  mkdirSync(directory, { recursive: true });
  const authority = openAuthority(directory);
  const admin = authority.certificate("admin", "system:masters");
  authority.certificate("127.0.0.1", "kube-apiserver");
  const port = await freePort();
  const etcd = await startEtcd(directory);
  if (etcd === undefined) return undefined;
  const file = (name: string) => join(directory, name);
  const words = Object.entries({
    "etcd-servers": etcd.url,
    "service-cluster-ip-range": "10.43.0.0/16",
    "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
    "service-account-key-file": file("sa.pub"),
    "service-account-signing-key-file": file("sa.key"),
    "client-ca-file": file("ca.crt"),
    "tls-cert-file": file("leaf2.crt"),
    "tls-private-key-file": file("leaf2.key"),
    "authorization-mode": "Node,RBAC",
    "enable-admission-plugins": "NodeRestriction",
    "secure-port": String(port),
    "bind-address": "127.0.0.1",
  }).map(([name, value]) => `--${name}=${value}`);
  const server = spawn(program, words, { stdio: "ignore" });
  const gone = once(server, "exit");
  const target = { url: `https://127.0.0.1:${port}`, ca: authority.ca, admin };
  const end = async () => {
    server.kill("SIGKILL");
    await gone;
    await etcd[Symbol.asyncDispose]();
  };
  try {
    await Promise.race([ready(target), gone.then(() => Promise.reject(new Error(`${program} ended`)))]);
  } catch (error) {
    await end();
    throw error;
  }
  const pids = [server.pid ?? 0, etcd.pid];
  return {
    target,
    version: spawnSync(program, ["--version"], { encoding: "utf8" }).stdout.trim().replace("Kubernetes ", ""),
    cpuSeconds: () => sum(pids.map(cpuSecondsOf)),
    rssMib: () => sum(pids.map(rssMibOf)),
    [Symbol.asyncDispose]: end,
  };
}

function installed(): string {
  return spawnSync("sh", ["-c", "command -v kube-apiserver"], { encoding: "utf8" }).stdout.trim();
}

async function ready(target: Target): Promise<void> {
  await using connections = new Connections(target, 1);
  const until = performance.now() + START_MS;
  while (performance.now() < until) {
    try {
      await exchange(connections, { method: "GET", path: "/readyz" });
      return;
    } catch {
      await wait(200);
    }
  }
  throw new Error("kube-apiserver does not become ready");
}

function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return ((Number(fields[11]) + Number(fields[12])) * TICK_MS) / 1000;
}

function rssMibOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
