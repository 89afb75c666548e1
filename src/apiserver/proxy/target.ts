import type { EndpointAddress } from "#kube/endpoints";
import type { Pod, Service } from "#kube/generated/types";
import { ENDPOINTS, NODES, PODS, SERVICES } from "#kube/resources";
import { badRequest, notFound, StatusFault } from "../status.ts";
import { addressOf, type KubeletAddress } from "../sub/kubelet.ts";
import type { Call } from "../verbs/call.ts";
import { mayReach, parseNamed } from "./address.ts";

/** Where a proxied request goes. */
export type Target =
  | { readonly to: "kubelet"; readonly kubelet: KubeletAddress }
  | {
      readonly to: "address";
      readonly scheme: "http" | "https";
      readonly host: string;
      readonly port: number;
    };

/** A node: its kubelet, unless another port is named. @throws {StatusFault} NotFound, BadRequest, InternalError */
export function nodeTarget({ api, info }: Call): Target {
  const { scheme, name, port } = parseNamed(info.name ?? "", "node");
  const node = api.world.read(NODES, undefined, name);
  if (node === undefined) throw notFound(NODES, name);
  const kubelet = addressOf(node);
  if (!mayReach(kubelet.host)) throw badRequest("address not allowed");
  if (port === "" || port === String(kubelet.port)) return { to: "kubelet", kubelet };
  return toAddress(scheme, kubelet.host, port);
}

/** A pod, at the port named or else its first. @throws {StatusFault} NotFound, BadRequest */
export function podTarget({ api, info }: Call): Target {
  const { scheme, name, port } = parseNamed(info.name ?? "", "pod");
  const pod = api.world.read(PODS, info.namespace, name);
  if (pod === undefined) throw notFound(PODS, name);
  const address = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? "";
  if (!mayReach(address)) throw badRequest("address not allowed");
  return toAddress(scheme, address, port === "" ? firstPort(pod) : port);
}

/** One of a service's ready pods. @throws {StatusFault} NotFound, ServiceUnavailable when there is none */
export function serviceTarget({ api, info }: Call): Target {
  const id = info.name ?? "";
  const { scheme, name, port } = parseNamed(id, "service");
  const portName = /^-?\d+$/.test(port) ? nameOfPort(readService(), Number(port)) : port;
  const endpoints = api.world.read(ENDPOINTS, info.namespace, name);
  // Of the service, whichever of the two is missing.
  if (endpoints === undefined) throw notFound(SERVICES, name);
  const subsets = endpoints.subsets ?? [];
  if (subsets.length === 0) throw noneFor(name);
  for (const subset of shuffled(subsets)) {
    const found = (subset.ports ?? []).find((each) => (each.name ?? "") === portName);
    if (found === undefined) continue;
    const address = shuffled(subset.addresses ?? []).find((each) => isOfPod(each));
    if (address !== undefined) return toAddress(scheme, address.ip, String(found.port));
  }
  throw noneFor(id);

  function readService(): Service {
    const service = api.world.read(SERVICES, info.namespace, name);
    if (service === undefined) throw notFound(SERVICES, name);
    return service;
  }

  /** Whoever may write Endpoints could otherwise send the API server anywhere. */
  function isOfPod({ ip, targetRef }: EndpointAddress): boolean {
    if (targetRef?.name === undefined || targetRef.namespace !== info.namespace) return false;
    const pod = api.world.read(PODS, info.namespace, targetRef.name);
    return (pod?.status?.podIPs ?? []).some((each) => each.ip === ip);
  }
}

function nameOfPort(service: Service, port: number): string {
  const found = service.spec?.ports?.find((each) => each.port === port);
  if (found !== undefined) return found.name ?? "";
  throw new StatusFault(
    "ServiceUnavailable",
    `no service port ${port} found for service ${JSON.stringify(service.metadata.name)}`,
  );
}

function noneFor(name: string): StatusFault {
  return new StatusFault("ServiceUnavailable", `no endpoints available for service ${JSON.stringify(name)}`);
}

function firstPort({ spec }: Pod): string {
  const ports = (spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  return String(ports[0]?.containerPort ?? "");
}

function toAddress(scheme: string, host: string, port: string): Target {
  const secure = scheme === "https";
  const number = port === "" ? (secure ? 443 : 80) : Number(port);
  if (!Number.isInteger(number) || number < 1 || number > 65535)
    throw new StatusFault(
      "ServiceUnavailable",
      `error trying to reach service: dial tcp: lookup tcp/${port}: unknown port`,
    );
  return { to: "address", scheme: secure ? "https" : "http", host, port: number };
}

function shuffled<T>(list: readonly T[]): T[] {
  const start = Math.floor(Math.random() * list.length);
  return [...list.slice(start), ...list.slice(0, start)];
}
