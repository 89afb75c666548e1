import { randomInt } from "node:crypto";
import { type Cidr, containsIp } from "#addr/cidr";
import { type Ip, isIp, parseIp } from "#addr/ip";
import { namespacedName } from "#addr/name";
import type { IPAddress, Service, ServiceCIDR, ServiceSpec } from "#kube/generated/types";
import type { ObjectRef } from "#kube/object";
import { invalid } from "../field/error.ts";
import type { Draft, FieldError } from "../kind.ts";
import { networksOf } from "../networking/service-cidr.ts";
import { familyName, initFamilies } from "../service/families.ts";
import { NO_IP, needsClusterIp, needsHealthCheckPort, needsNodePort } from "../service/needs.ts";
import { ClusterIps, type TakeResult } from "./cluster-ips.ts";
import { Ledger } from "./ledger.ts";
import { NodePorts } from "./node-ports.ts";
import type { Random } from "./pool.ts";

export interface ServiceAllocationOptions {
  /** One or two, of different families; the first one's family is the cluster's own. */
  readonly serviceCidrs: readonly Cidr[];
  readonly nodePortRange: { readonly from: number; readonly to: number };
  readonly random?: Random;
}

/** Cluster addresses and node ports, and which Service holds which. */
export class ServiceAllocation {
  readonly #nodePorts: NodePorts;
  readonly #random: Random;
  readonly #ips = new Ledger<Ip>();
  /** The networks that the server was started with come first, and are there before any ServiceCIDR is. */
  readonly #own: readonly ClusterIps[];
  readonly #added = new Map<string, readonly ClusterIps[]>();

  constructor({ serviceCidrs, nodePortRange, random = randomInt }: ServiceAllocationOptions) {
    this.#random = random;
    this.#own = serviceCidrs.map((cidr) => new ClusterIps(cidr, random, this.#ips));
    this.#nodePorts = new NodePorts(nodePortRange, random);
  }

  /** Makes the networks of a ServiceCIDR those that its stored object names; from one that is going nothing more is given. */
  settleNetwork(name: string, stored: ServiceCIDR | undefined): void {
    const isGoing = stored?.metadata.deletionTimestamp !== undefined;
    if (stored === undefined || isGoing) this.#added.delete(name);
    else
      this.#added.set(
        name,
        networksOf(stored).map((cidr) => new ClusterIps(cidr, this.#random, this.#ips)),
      );
  }

  /** Keeps an address for whoever an IPAddress names, unless a Service has it. */
  settleAddress(name: string, stored: IPAddress | undefined): void {
    this.#ips.settle(`ipaddress ${name}`, stored !== undefined && isIp(name) ? [name] : []);
  }

  /** The networks that addresses come from now. */
  get networks(): readonly Cidr[] {
    return this.#networks().map(({ cidr }) => cidr);
  }

  #networks(): readonly ClusterIps[] {
    const own = new Set(this.#own.map(({ cidr }) => cidr));
    const added = [...this.#added.values()].flat().filter(({ cidr }) => !own.has(cidr));
    return [...this.#own, ...added];
  }

  /** Why `allocate` would refuse what is asked for by name, as far as can be said before: nothing is taken. These errors stand before all others. */
  foresee(service: Service, stored: Service | undefined): readonly FieldError[] {
    const draft: Draft = structuredClone(service);
    const holder = namespacedName(service.metadata);
    const families = initFamilies(draft, stored, this.#families());
    if (families.length > 0) return families;
    return [...this.#foreseeIps(holder, draft.spec, stored), ...this.#foreseePorts(holder, draft.spec)];
  }

  #families() {
    return this.#own.map(({ family }) => familyName(family));
  }

  /** Addresses that were given stay: what is wrong with another one in their place is for validation to say. */
  #foreseeIps(holder: string, spec: Draft, stored: Service | undefined): readonly FieldError[] {
    if (!needsClusterIp(spec) || spec.clusterIPs?.[0] === NO_IP) return [];
    const asked: readonly string[] = spec.clusterIPs ?? [];
    const had = stored?.spec?.clusterIPs ?? [];
    for (const [i, wanted] of asked.entries()) {
      const name = spec.ipFamilies[i];
      if (!wanted || had[i] !== undefined || name === undefined) continue;
      const result = this.#networkOf(name, wanted).foresee(holder, wanted);
      if (result.kind === "refused") return [invalid("spec.clusterIPs", asked, result.why)];
    }
    return [];
  }

  #foreseePorts(holder: string, spec: Draft): readonly FieldError[] {
    if (!needsNodePort(spec)) return [];
    const asked: readonly (readonly [string, number])[] = [
      ...(spec.ports ?? []).map((port: Draft, i: number) => [`spec.ports[${i}].nodePort`, port.nodePort]),
      ...(needsHealthCheckPort(spec)
        ? [["spec.healthCheckNodePort", spec.healthCheckNodePort] as const]
        : []),
    ];
    return asked.flatMap(([path, port]) => {
      const result = port ? this.#nodePorts.foresee(holder, port) : undefined;
      return result?.kind === "refused" ? [invalid(path, port, result.why)] : [];
    });
  }

  /** Fills families, addresses and ports of a draft that validated, and holds them for it until it is settled. */
  allocate(draft: Draft, stored: Service | undefined): readonly FieldError[] {
    const holder = namespacedName(draft.metadata);
    const families = initFamilies(draft, stored, this.#families());
    if (families.length > 0) return families;
    return [...this.#takeIps(holder, draft.spec), ...this.#takePorts(holder, draft.spec)];
  }

  /** Makes what `ref` holds equal to what its stored Service says. */
  settle(ref: ObjectRef, stored: Service | undefined): void {
    const holder = namespacedName(ref);
    const ips = (stored?.spec?.clusterIPs ?? []).filter((text): text is Ip => isIp(text));
    this.#ips.settle(holder, ips);
    this.#nodePorts.settle(holder, portsOf(stored?.spec));
  }

  #takeIps(holder: string, spec: Draft): readonly FieldError[] {
    if (!needsClusterIp(spec) || spec.clusterIPs?.[0] === NO_IP) return [];
    const asked: readonly string[] = spec.clusterIPs ?? [];
    const given: string[] = [];
    for (const [i, name] of spec.ipFamilies.entries()) {
      const result = this.#takeIp(holder, name, asked[i]);
      if (result.kind === "refused") return [invalid("spec.clusterIPs", asked, result.why)];
      given.push(result.ip);
    }
    spec.clusterIPs = given;
    spec.clusterIP = given[0];
    return [];
  }

  /** The address asked for, from whichever network has it; or any free one, from the first network that has one. */
  #takeIp(holder: string, name: string, wanted: string | undefined): TakeResult {
    if (wanted) return this.#networkOf(name, wanted).take(holder, wanted);
    const networks = this.#networks().filter(({ family }) => familyName(family) === name);
    const [first] = networks;
    if (first === undefined) throw new Error(`broken invariant: no service network of family ${name}`);
    let result = first.takeNext(holder);
    for (const network of networks.slice(1)) {
      if (result.kind === "taken") break;
      result = network.takeNext(holder);
    }
    return result;
  }

  /** The network that has the address; for one that none has, any that says so. */
  #networkOf(name: string, wanted: string): ClusterIps {
    const networks = this.#networks().filter(({ family }) => familyName(family) === name);
    const ip = parseIp(wanted);
    const found = networks.find(({ cidr }) => containsIp(cidr, ip)) ?? networks[0];
    if (found === undefined) throw new Error(`broken invariant: no service network of family ${name}`);
    return found;
  }

  #takePorts(holder: string, spec: Draft): readonly FieldError[] {
    const errors: FieldError[] = [];
    const byPort = new Map<number, number>();
    for (const { port, nodePort } of spec.ports ?? [])
      if (nodePort && !byPort.has(port)) byPort.set(port, nodePort);
    for (const [i, entry] of (spec.ports ?? []).entries()) {
      // ports that differ in protocol only share their node port
      const wanted = entry.nodePort || (needsNodePort(spec) ? byPort.get(entry.port) : undefined);
      if (!wanted && !needsNodePort(spec)) continue;
      const result = wanted ? this.#nodePorts.take(holder, wanted) : this.#nodePorts.takeNext(holder);
      if (result.kind === "refused")
        errors.push(invalid(`spec.ports[${i}].nodePort`, wanted ?? 0, result.why));
      else {
        entry.nodePort = result.port;
        byPort.set(entry.port, result.port);
      }
    }
    return [...errors, ...this.#takeHealthPort(holder, spec)];
  }

  #takeHealthPort(holder: string, spec: Draft): readonly FieldError[] {
    if (!needsHealthCheckPort(spec)) return [];
    const wanted: number = spec.healthCheckNodePort ?? 0;
    const result = wanted ? this.#nodePorts.take(holder, wanted) : this.#nodePorts.takeNext(holder);
    if (result.kind === "refused") return [invalid("spec.healthCheckNodePort", wanted, result.why)];
    spec.healthCheckNodePort = result.port;
    return [];
  }
}

function portsOf(spec: ServiceSpec | undefined): readonly number[] {
  const all = [...(spec?.ports ?? []).map(({ nodePort }) => nodePort), spec?.healthCheckNodePort];
  return all.filter((port): port is number => port !== undefined && port > 0);
}
