import type { Pod } from "#kube/generated/types";

const MAX_CHARACTERS = 63;

export interface PodNames {
  /** The kernel's host name. */
  readonly hostname: string;
  /** Without a domain, as `/etc/hosts` has it last. */
  readonly short: string;
  /** `host.sub.ns.svc.domain` where the pod has a subdomain. */
  readonly fqdn: string | undefined;
}

/** What a pod calls itself. */
export function podHostname(pod: Pod, clusterDomain: string): PodNames {
  const { spec, metadata } = pod;
  const override = spec?.hostnameOverride;
  if (override) return { hostname: override, short: override, fqdn: undefined };
  const short = (spec?.hostname || metadata.name).slice(0, MAX_CHARACTERS).replace(/[-.]+$/, "");
  const fqdn = spec?.subdomain
    ? `${short}.${spec.subdomain}.${metadata.namespace}.svc.${clusterDomain}`
    : undefined;
  return { hostname: fqdn && spec?.setHostnameAsFQDN ? fqdn : short, short, fqdn };
}
