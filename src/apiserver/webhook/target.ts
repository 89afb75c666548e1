import type { EndpointSlice, Service, WebhookClientConfig } from "#kube/generated/types";
import { ENDPOINT_SLICES, SERVICES } from "#kube/resources";
import type { World } from "../cache/world.ts";
import { WebhookFault } from "./fault.ts";

/** Where a webhook is, and who it has to prove to be. */
export interface WebhookTarget {
  readonly url: URL;
  /** Where the connection goes. */
  readonly host: string;
  readonly port: number;
  /** PEM; the system's authorities without it. */
  readonly ca: string | undefined;
}

/** Where Services and their endpoints are looked up. */
export type Services = Pick<World, "read" | "list">;

const SERVICE_NAME = "kubernetes.io/service-name";

/** The way to a webhook, through a ready endpoint where it is behind a Service. @throws {WebhookFault} unreachable */
export function webhookTarget(config: WebhookClientConfig, world: Services): WebhookTarget {
  const ca = config.caBundle ? Buffer.from(config.caBundle, "base64").toString("utf8") : undefined;
  const url = webhookUrl(config);
  const { service } = config;
  if (service === undefined) {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    return { url, host, port: Number(url.port || 443), ca };
  }
  return { url, ca, ...endpointOf(world, { ...service, port: service.port ?? 443 }) };
}

/** @throws {WebhookFault} */
function webhookUrl(config: WebhookClientConfig): URL {
  const text = webhookAddress(config);
  if (!URL.canParse(text))
    throw new WebhookFault("unreachable", `parse ${JSON.stringify(text)}: invalid URL`);
  return new URL(text);
}

/** A webhook's URL as messages name it: `https://name.namespace.svc:443/path` for one behind a Service. */
export function webhookAddress({ url, service }: WebhookClientConfig): string {
  if (url !== undefined) return url.split(/[?#]/)[0] ?? "";
  const { name, namespace, port = 443, path = "" } = service ?? {};
  return `https://${name}.${namespace}.svc:${port}${path.startsWith("/") ? path : `/${path}`}`;
}

interface Wanted {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

function endpointOf(world: Services, wanted: Wanted): { readonly host: string; readonly port: number } {
  const { namespace, name, port } = wanted;
  const service = world.read(SERVICES, namespace, name);
  if (service === undefined)
    throw new WebhookFault("unreachable", `service ${JSON.stringify(name)} not found`);
  if (service.spec?.type === "ExternalName") return { host: service.spec.externalName ?? "", port };
  const portName = portOf(service, wanted);
  const slices = world
    .list(ENDPOINT_SLICES, namespace)
    .filter(({ metadata }) => metadata.labels?.[SERVICE_NAME] === name);
  const ready = slices.flatMap((slice) => readyEndpoints(slice, portName));
  const chosen = ready[Math.floor(Math.random() * ready.length)];
  if (chosen === undefined)
    throw new WebhookFault("unreachable", `no endpoints available for service ${JSON.stringify(name)}`);
  return chosen;
}

function portOf({ spec }: Service, { name, port }: Wanted): string {
  const found = spec?.ports?.find((one) => one.port === port);
  if (found === undefined)
    throw new WebhookFault(
      "unreachable",
      `no service port ${port} found for service ${JSON.stringify(name)}`,
    );
  return found.name ?? "";
}

function readyEndpoints(
  slice: EndpointSlice,
  portName: string,
): readonly { readonly host: string; readonly port: number }[] {
  const port = slice.ports?.find(({ name }) => (name ?? "") === portName)?.port;
  if (port === undefined) return [];
  return (slice.endpoints ?? [])
    .filter(({ conditions }) => conditions?.ready !== false)
    .flatMap(({ addresses }) => addresses.slice(0, 1).map((host) => ({ host, port })));
}
