import { readFileSync } from "node:fs";
import { join } from "node:path";
import { familyOf, type Ip, isIp } from "#addr/ip";
import { canonicalQuantity } from "#kube/quantity";
import { K3S_UNSAFE_SYSCTLS } from "./admission/sysctls.ts";
import { parseResolvConf, type ResolverConfig } from "./files/resolv-conf.ts";
import { DEFAULT_LIMITS } from "./logs/rotation.ts";
import { allocatableOf } from "./object/allocatable.ts";
import { readCapacity } from "./object/node-facts.ts";
import type { NodeOptions } from "./options.ts";
import type { NodeSettings } from "./pod/context.ts";
import { DEFAULT_EVICTION_SETTINGS, type EvictionSettings, type Threshold } from "./pressure/thresholds.ts";

const MAX_PODS = 110;

/** What the machine and the options make of this node, read once; its addresses and `/etc/resolv.conf` each time. */
export function readSettings(options: NodeOptions): NodeSettings {
  const kubeletDir = join(options.dataDir, "agent", "kubelet");
  const capacity = readCapacity({ maxPods: options.maxPods ?? MAX_PODS, dataDir: options.dataDir });
  return {
    nodeName: options.nodeName,
    get hostIps() {
      return hostIps([...options.nodeIps.current, ...(options.externalIps ?? [])]);
    },
    clusterDns: options.clusterDns,
    clusterDomain: options.clusterDomain,
    allocatable: allocatableOf(capacity, options.reservations ?? {}),
    capacity,
    seccomp: { dir: join(kubeletDir, "seccomp"), isDefault: options.seccompDefault ?? false },
    allowedSysctls: options.allowedSysctls ?? K3S_UNSAFE_SYSCTLS,
    podLogsDir: options.podLogsDir ?? "/var/log/pods",
    podsDir: join(kubeletDir, "pods"),
    nodeResolver: () => nodeResolver(options.resolvConf ?? "/etc/resolv.conf"),
  };
}

/** What `/configz` shows, by KubeletConfiguration's names. */
export function kubeletConfiguration(
  options: NodeOptions,
  listen: { ip: string; port: number },
): Record<string, unknown> {
  return {
    address: listen.ip,
    port: listen.port,
    clusterDomain: options.clusterDomain,
    clusterDNS: options.clusterDns,
    maxPods: options.maxPods ?? MAX_PODS,
    resolvConf: options.resolvConf ?? "/etc/resolv.conf",
    containerLogMaxSize: canonicalQuantity(String(options.logMaxBytes ?? DEFAULT_LIMITS.maxBytes)),
    containerLogMaxFiles: options.logMaxFiles ?? DEFAULT_LIMITS.maxFiles,
    podPidsLimit: options.podPids ?? -1,
    allowedUnsafeSysctls: options.allowedSysctls ?? K3S_UNSAFE_SYSCTLS,
    ...evictionOf(options.eviction ?? DEFAULT_EVICTION_SETTINGS),
    kubeReserved: options.reservations?.kube ?? {},
    systemReserved: options.reservations?.system ?? {},
    seccompDefault: options.seccompDefault ?? false,
    cgroupDriver: "cgroupfs",
  };
}

function evictionOf({ thresholds, transitionMs, maxPodGraceSeconds }: EvictionSettings): object {
  const given = thresholds.filter(({ signal }) => signal !== "allocatableMemory.available");
  const pairs = (isSoft: boolean, of: (one: Threshold) => string) =>
    Object.fromEntries(
      given.filter(({ graceMs }) => graceMs > 0 === isSoft).map((one) => [one.signal, of(one)]),
    );
  return {
    evictionHard: pairs(false, ({ value }) => value),
    evictionSoft: pairs(true, ({ value }) => value),
    evictionSoftGracePeriod: pairs(true, ({ graceMs }) => `${graceMs / 1000}s`),
    evictionPressureTransitionPeriod: `${transitionMs / 1000}s`,
    evictionMaxPodGracePeriod: maxPodGraceSeconds,
  };
}

/** The first address, and the first of the other family. */
function hostIps(ips: readonly Ip[]): readonly Ip[] {
  const [first] = ips;
  if (first === undefined) return [];
  const other = ips.find((ip) => familyOf(ip) !== familyOf(first));
  return other === undefined ? [first] : [first, other];
}

/** The node's resolvers, without those on its own loopback, which no pod can reach. */
function nodeResolver(path: string): ResolverConfig {
  const found = parseResolvConf(readFileSync(path, "utf8"));
  const reachable = found.servers.filter((server) => isIp(server) && !/^(?:127\.|::1$)/.test(server));
  return { ...found, servers: reachable };
}
