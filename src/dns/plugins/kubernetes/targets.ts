import type { Ip } from "#addr/ip";
import type { Name } from "#wire/dns/name";
import type { Backend, NamedPort, ServiceFacts } from "./model.ts";
import type { Asked } from "./parse-name.ts";

/** One address with one port that a question about a service comes down to. */
export interface Target {
  readonly ip: Ip;
  readonly port: number;
  /** What an SRV record names: the service, or its endpoint. */
  readonly host: Name;
}

type AskedService = Extract<Asked, { kind: "service" }>;

/** What of a service matches the question. Empty means that the name does not exist. */
export function targetsOf(facts: ServiceFacts, asked: AskedService, zone: Name): readonly Target[] {
  const base = serviceName(facts, zone);
  if (facts.exposure.kind === "headless" || asked.endpoint !== "") {
    return facts.backends
      .filter(({ label }) => asked.endpoint === "" || label === asked.endpoint)
      .flatMap((backend) => backendTargets(backend, asked, base));
  }
  if (facts.exposure.kind !== "cluster") return [];
  const { ips } = facts.exposure;
  return matching(facts.ports, asked).flatMap(({ port }) => ips.map((ip) => ({ ip, port, host: base })));
}

export function serviceName({ name, namespace }: ServiceFacts, zone: Name): Name {
  return `${name}.${namespace}.svc.${zone === "." ? "" : zone}`;
}

function backendTargets({ label, ip, ports }: Backend, asked: AskedService, base: Name): Target[] {
  return matching(ports, asked).map(({ port }) => ({ ip, port, host: `${label}.${base}` }));
}

function matching(ports: readonly NamedPort[], { port, protocol }: AskedService): readonly NamedPort[] {
  if (port === "" && protocol === "") return ports;
  return ports.filter(
    (each) => (port === "" || each.name === port) && (protocol === "" || each.protocol === protocol),
  );
}
