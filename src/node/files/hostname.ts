import type { Pod } from "#kube/generated/types";

const MAX_CHARACTERS = 63;

/** What a pod calls itself: the kernel's host name, and the full name where it has a subdomain. */
export function podHostname(pod: Pod, clusterDomain: string): { hostname: string; fqdn: string | undefined } {
  const { spec, metadata } = pod;
  const override = spec?.hostnameOverride;
  if (override) return { hostname: override, fqdn: undefined };
  const hostname = (spec?.hostname || metadata.name).slice(0, MAX_CHARACTERS).replace(/[-.]+$/, "");
  const fqdn = spec?.subdomain
    ? `${hostname}.${spec.subdomain}.${metadata.namespace}.svc.${clusterDomain}`
    : undefined;
  return { hostname: fqdn && spec?.setHostnameAsFQDN ? fqdn : hostname, fqdn };
}
