import { familyOf } from "#addr/ip";
import type { Service } from "#kube/generated/types";

/** The variables that tell a container where services are: all of its namespace when `links`, and `kubernetes` always. */
export function serviceEnv(
  services: readonly Service[],
  { namespace, links }: { namespace: string; links: boolean },
): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  // Later ones win: those of the pod's own namespace come last.
  const isOwn = (service: Service) => service.metadata.namespace === namespace;
  for (const service of [...services].sort((a, b) => Number(isOwn(a)) - Number(isOwn(b)))) {
    if ((isOwn(service) && links) || isApi(service)) Object.assign(out, variablesOf(service));
  }
  return out;
}

function isApi({ metadata }: Service): boolean {
  return metadata.namespace === "default" && metadata.name === "kubernetes";
}

function variablesOf({ metadata, spec }: Service): Record<string, string> {
  const ip = spec?.clusterIP;
  const [first, ...rest] = spec?.ports ?? [];
  if (!ip || ip === "None" || !first) return {};
  const prefix = metadata.name.toUpperCase().replaceAll("-", "_");
  const host = familyOf(ip) === 6 ? `[${ip}]` : ip;
  const out: Record<string, string> = {
    [`${prefix}_SERVICE_HOST`]: ip,
    [`${prefix}_SERVICE_PORT`]: String(first.port),
    [`${prefix}_PORT`]: `${(first.protocol ?? "TCP").toLowerCase()}://${host}:${first.port}`,
  };
  for (const { name, port, protocol = "TCP" } of [first, ...rest]) {
    if (name) out[`${prefix}_SERVICE_PORT_${name.toUpperCase().replaceAll("-", "_")}`] = String(port);
    const base = `${prefix}_PORT_${port}_${protocol.toUpperCase()}`;
    out[base] = `${protocol.toLowerCase()}://${host}:${port}`;
    out[`${base}_PROTO`] = protocol.toLowerCase();
    out[`${base}_PORT`] = String(port);
    out[`${base}_ADDR`] = ip;
  }
  return out;
}
