import type { PodSpec } from "#kube/generated/types";

export interface ResolverConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

export interface ResolverInputs {
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** The node's own file. */
  readonly node: ResolverConfig;
}

const MAX_SERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARACTERS = 2048;

/** A pod's resolver file by its dnsPolicy, cut to what resolvers take; `dropped` says when something had to go.
 *  @see kubelet network/dns/dns.go */
export function resolverConfig(
  spec: Pick<PodSpec, "dnsPolicy" | "dnsConfig" | "hostNetwork">,
  namespace: string,
  inputs: ResolverInputs,
): { readonly config: ResolverConfig; readonly dropped: boolean } {
  const base = byPolicy(spec, namespace, inputs);
  const own = spec.dnsConfig;
  const servers = unique([...base.servers, ...(own?.nameservers ?? [])]);
  const searches = unique([...base.searches, ...(own?.searches ?? [])]);
  const ownOptions = (own?.options ?? []).map(({ name = "", value }) => (value ? `${name}:${value}` : name));
  const config = {
    servers: servers.slice(0, MAX_SERVERS),
    searches: fitting(searches),
    options: mergeOptions(base.options, ownOptions),
  };
  const dropped = config.servers.length < servers.length || config.searches.length < searches.length;
  return { config, dropped };
}

function byPolicy(
  { dnsPolicy = "ClusterFirst", hostNetwork }: Pick<PodSpec, "dnsPolicy" | "hostNetwork">,
  namespace: string,
  { clusterDns, clusterDomain, node }: ResolverInputs,
): ResolverConfig {
  if (dnsPolicy === "None") return { servers: [], searches: [], options: [] };
  const isCluster = dnsPolicy === "ClusterFirstWithHostNet" || (dnsPolicy === "ClusterFirst" && !hostNetwork);
  if (!isCluster || clusterDns.length === 0) return node;
  const domains = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  return { servers: clusterDns, searches: [...domains, ...node.searches], options: ["ndots:5"] };
}

/** Reads a resolver file: the last `search` line wins, trailing dots go, `search .` is none. */
export function parseResolvConf(text: string): ResolverConfig {
  const servers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [word, ...rest] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (word === "nameserver" && rest[0]) servers.push(rest[0]);
    if (word === "search")
      searches = rest.map((name) => name.replace(/\.$/, "")).filter((name) => name !== "");
    if (word === "options") options = rest;
  }
  return { servers, searches, options };
}

export function formatResolvConf({ servers, searches, options }: ResolverConfig): string {
  const lines = [
    ...(searches.length > 0 ? [`search ${searches.join(" ")}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

function unique(items: readonly string[]): readonly string[] {
  return [...new Set(items)];
}

function fitting(searches: readonly string[]): readonly string[] {
  const out = searches.slice(0, MAX_SEARCHES);
  while (out.join(" ").length > MAX_SEARCH_CHARACTERS) out.pop();
  return out;
}

function mergeOptions(base: readonly string[], own: readonly string[]): readonly string[] {
  const name = (option: string) => option.split(":")[0] ?? option;
  const overridden = new Set(own.map(name));
  return [...base.filter((option) => !overridden.has(name(option))), ...own];
}
