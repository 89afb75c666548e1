import type { Route } from "../model.ts";
import type { AskedConnection, AskedInput } from "./asked-input.ts";
import { wayOf } from "./cases.ts";
import { whyNotRouted } from "./notes.ts";

const MOST_LISTED = 8;

/** Why no way fits. */
export function noWay({ to, port }: AskedConnection, input: AskedInput, routes: readonly Route[]): string {
  const { service, places } = input;
  const { metadata, spec, status } = service;
  const name = `${metadata.namespace}/${metadata.name}`;
  const notRouted = whyNotRouted(service);
  if (notRouted !== undefined) return `${name} is not routed. ${notRouted}`;
  const owner = places.find(({ localIps }) => to !== undefined && localIps.includes(to))?.nodeName;
  const isServiceLb = spec?.type === "LoadBalancer" && spec.loadBalancerClass === undefined;
  const isServicePort = port === undefined || (spec?.ports ?? []).some((each) => each.port === port);
  if (owner !== undefined && isServiceLb && isServicePort)
    return `${to} is an address of ${owner}, but not one that ${name} is reached by: a svclb pod, where one runs there, takes port ${port ?? "of the Service"}, and the pods see that pod's address.`;
  const there = routes.filter(({ frontend }) => to === undefined || frontend.ip === to);
  if (there.length > 0)
    return `${name} has no port ${port} there; it has ${listed(there.map(({ frontend }) => String(frontend.port)))}.`;
  const ingress = (status?.loadBalancer?.ingress ?? []).find(({ ip }) => ip === to);
  if (ingress?.ipMode === "Proxy")
    return `${to} is a load balancer's that wants to see every packet (ipMode Proxy): nothing is translated, and pods see what it makes of the connection.`;
  const rewritten = places.find(({ nodeIps }) => to !== undefined && nodeIps.includes(to));
  if (rewritten)
    return `${to} is an address of ${rewritten.nodeName} that the machine itself does not have: what stands before it rewrites it on the way. Ask with --to ${rewritten.nodeIps.find((ip) => rewritten.localIps.includes(ip)) ?? "the machine's own address"}.`;
  const others = routes.filter((route) => wayOf(route, input) !== "node-port");
  const ports = (spec?.ports ?? []).flatMap(({ nodePort }) => nodePort ?? []);
  const nodes = ports.length > 0 ? `, and addresses of nodes at port ${listed(ports.map(String))}` : "";
  return `${to} is no address of ${name}; it has ${listed(others.map(({ frontend }) => frontend.ip))}${nodes}.`;
}

/** Each once, the first few. */
export function listed(texts: readonly string[]): string {
  const all = [...new Set(texts)].sort();
  const shown = all.slice(0, MOST_LISTED).join(", ");
  return all.length === 0 ? "none" : all.length > MOST_LISTED ? `${shown} and more` : shown;
}
