import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname as nodeHostname } from "node:os";
import { join } from "node:path";
import type { Pod } from "#kube/generated/types";
import { podHostname } from "../files/hostname.ts";
import { hostNetworkHosts, podHosts } from "../files/hosts.ts";
import { formatResolvConf, resolverConfig } from "../files/resolv-conf.ts";
import type { VolumeBind } from "../runtime/runtime.ts";
import { note, type PodContext } from "./context.ts";

export interface PodFiles {
  /** For the kernel; undefined keeps the node's. */
  readonly hostname: string | undefined;
  readonly binds: readonly VolumeBind[];
}

/** Writes the pod's `/etc/hosts`, `/etc/hostname` and `/etc/resolv.conf` afresh; all its containers share them. The last two cannot be
 *  written by a container whose root cannot. */
export function writePodFiles(
  pod: Pod,
  { ips, isReadOnlyRoot }: { ips: readonly string[]; isReadOnlyRoot: boolean },
  context: PodContext,
): PodFiles {
  const { settings } = context;
  const dir = join(settings.podsDir, pod.metadata.uid ?? "");
  mkdirSync(dir, { recursive: true, mode: 0o750 });
  const isHost = pod.spec?.hostNetwork === true;
  const { hostname, short, fqdn } = podHostname(pod, settings.clusterDomain);
  const aliases = pod.spec?.hostAliases ?? [];
  const hosts = isHost
    ? hostNetworkHosts(read("/etc/hosts"), aliases)
    : podHosts({ ips, hostname: short, fqdn, aliases });
  const files: Readonly<Record<string, string>> = {
    "etc-hosts": hosts,
    "etc-hostname": `${isHost ? nodeHostname() : hostname}\n`,
    "resolv.conf": resolver(pod, context),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o644 });
  const bind = (name: string, containerPath: string, isReadOnly = isReadOnlyRoot): VolumeBind => ({
    hostPath: join(dir, name),
    containerPath,
    isReadOnly,
    propagation: "private",
  });
  return {
    hostname: isHost ? undefined : hostname,
    binds: [
      bind("etc-hosts", "/etc/hosts", false),
      bind("etc-hostname", "/etc/hostname"),
      bind("resolv.conf", "/etc/resolv.conf"),
    ],
  };
}

function resolver(pod: Pod, context: PodContext): string {
  const { settings } = context;
  const { config, dropped } = resolverConfig(pod.spec ?? {}, pod.metadata.namespace ?? "", {
    clusterDns: settings.clusterDns,
    clusterDomain: settings.clusterDomain,
    node: settings.nodeResolver(),
  });
  const text = formatResolvConf(config);
  if (dropped)
    note(context, pod, {
      type: "Warning",
      reason: "DNSConfigForming",
      message: `Nameserver or search limits were exceeded, some have been omitted, the applied lines are: ${text.trim().replaceAll("\n", "; ")}`,
    });
  return text;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
