/** The ports by which load balancers outside the cluster ask whether this node has an endpoint (healthCheckNodePort). */
import { FAMILIES, type Family } from "#addr/family";
import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import { explain } from "#fault/fault";
import type { Service } from "#kube/generated/types";
import type { ServiceProblem } from "../problems.ts";
import { checkAnswer } from "./answers.ts";
import { listen } from "./listen.ts";
import type { LocalEndpoints } from "./local-endpoints.ts";
import type { ProxyHealth } from "./proxy-health.ts";

/** One port of a service, at some addresses. */
export interface WantedCheck {
  readonly service: string;
  readonly port: number;
  readonly ips: readonly Ip[];
}

const WILDCARD: Readonly<Record<Family, Ip>> = { 4: parseIp("0.0.0.0"), 6: parseIp("::") };

/** @param nodePortIps undefined is every address */
export function wantedChecks(
  services: readonly Service[],
  nodePortIps: readonly Ip[] | undefined,
): readonly WantedCheck[] {
  return services.flatMap(({ metadata, spec }) => {
    const port = spec?.healthCheckNodePort ?? 0;
    if (port === 0 || spec?.type !== "LoadBalancer" || spec.externalTrafficPolicy !== "Local") return [];
    const clusterIps = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
    const families = FAMILIES.filter((family) =>
      clusterIps.some((ip) => isIp(ip) && familyOf(ip) === family),
    );
    const ips = families.flatMap((family) =>
      nodePortIps === undefined ? [WILDCARD[family]] : nodePortIps.filter((ip) => familyOf(ip) === family),
    );
    return ips.length === 0 ? [] : [{ service: `${metadata.namespace}/${metadata.name}`, port, ips }];
  });
}

interface Open {
  readonly want: string;
  readonly servers: readonly AsyncDisposable[];
}

export interface HealthChecksOptions {
  readonly nodeName: string;
  readonly endpoints: LocalEndpoints;
  readonly health: ProxyHealth;
  /** Hears which ports could not be had, each time it is something else. */
  readonly onProblems: (problems: readonly ServiceProblem[]) => void;
}

/** Keeps one server for each wanted address and port. Calls of `bring` must not overlap. */
export class HealthChecks implements AsyncDisposable {
  readonly #options: HealthChecksOptions;
  readonly #open = new Map<string, Open>();
  #problems: readonly ServiceProblem[] = [];

  constructor(options: HealthChecksOptions) {
    this.#options = options;
  }

  /** Closes what is not wanted and opens what is; what could not be opened is tried again at the next call. */
  async bring(wanted: readonly WantedCheck[]): Promise<void> {
    const texts = new Map(wanted.map((check) => [check.service, JSON.stringify(check)]));
    for (const [service, { want }] of this.#open) if (texts.get(service) !== want) await this.#close(service);
    const problems: ServiceProblem[] = [];
    for (const check of wanted) {
      if (this.#open.has(check.service)) continue;
      const problem = await this.#begin(check);
      if (problem) problems.push(problem);
    }
    if (JSON.stringify(problems) === JSON.stringify(this.#problems)) return;
    this.#problems = problems;
    this.#options.onProblems(problems);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#open.keys()].map((service) => this.#close(service)));
  }

  /** All of its addresses, or none. */
  async #begin(check: WantedCheck): Promise<ServiceProblem | undefined> {
    const { service, port, ips } = check;
    const servers: AsyncDisposable[] = [];
    try {
      for (const ip of ips) servers.push(await this.#serve(service, ip, port));
      this.#open.set(service, { want: JSON.stringify(check), servers });
      return undefined;
    } catch (error) {
      for (const server of servers) await server[Symbol.asyncDispose]();
      const why = explain(error);
      const message = `node ${this.#options.nodeName} failed to start healthcheck "${service}" on port ${port}: ${why}`;
      return { service, reason: "FailedToStartServiceHealthcheck", message };
    }
  }

  #serve(service: string, ip: Ip, port: number): Promise<AsyncDisposable> {
    const { endpoints, health } = this.#options;
    const [namespace = "", name = ""] = service.split("/");
    return listen({ ip, port }, () => {
      const { ready } = endpoints.of(service, familyOf(ip));
      return checkAnswer({ namespace, name }, { localEndpoints: ready, isProxyHealthy: health.isHealthy });
    });
  }

  async #close(service: string): Promise<void> {
    const open = this.#open.get(service);
    this.#open.delete(service);
    for (const server of open?.servers ?? []) await server[Symbol.asyncDispose]();
  }
}
