import type { HostAlias } from "#kube/generated/types";

const COMMON = [
  "127.0.0.1\tlocalhost",
  "::1\tlocalhost ip6-localhost ip6-loopback",
  "fe00::0\tip6-localnet",
  "fe00::0\tip6-mcastprefix",
  "fe00::1\tip6-allnodes",
  "fe00::2\tip6-allrouters",
];

/** The `/etc/hosts` of a pod with its own network. */
export function podHosts(pod: {
  readonly ips: readonly string[];
  readonly hostname: string;
  /** `host.sub.ns.svc.domain` where the pod has a subdomain. */
  readonly fqdn: string | undefined;
  readonly aliases: readonly HostAlias[];
}): string {
  const own = pod.ips.map((ip) => [ip, ...(pod.fqdn ? [pod.fqdn] : []), pod.hostname].join("\t"));
  return lines(["# Kubernetes-managed hosts file.", ...COMMON, ...own]) + aliasLines(pod.aliases);
}

/** The `/etc/hosts` of a pod of the host's network: the node's own and the pod's aliases. */
export function hostNetworkHosts(node: string, aliases: readonly HostAlias[]): string {
  const header = "# Kubernetes-managed hosts file (host network).\n";
  return header + (node.endsWith("\n") ? node : `${node}\n`) + aliasLines(aliases);
}

function aliasLines(aliases: readonly HostAlias[]): string {
  if (aliases.length === 0) return "";
  const entries = aliases.map(({ ip, hostnames }) => [ip, ...(hostnames ?? [])].join("\t"));
  return `\n${lines(["# Entries added by HostAliases.", ...entries])}`;
}

function lines(items: readonly string[]): string {
  return items.map((item) => `${item}\n`).join("");
}
