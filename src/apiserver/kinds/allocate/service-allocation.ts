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

  /** Fills families, addresses and ports of a draft that validated, and holds them for it until it is settled. */
  allocate(draft: Draft, stored: Service | undefined): readonly FieldError[] {
    const holder = namespacedName(draft.metadata);
    const families = initFamilies(
      draft,
      stored,
      this.#own.map(({ family }) => familyName(family)),
    );
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
    const networks = this.#networks().filter(({ family }) => familyName(family) === name);
    const [first] = networks;
    if (first === undefined) throw new Error(`broken invariant: no service network of family ${name}`);
    if (wanted) {
      const ip = parseIp(wanted);
      return (networks.find(({ cidr }) => containsIp(cidr, ip)) ?? first).take(holder, wanted);
    }
    let result = first.takeNext(holder);
    for (const network of networks.slice(1)) {
      if (result.kind === "taken") break;
      result = network.takeNext(holder);
    }
    return result;
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
