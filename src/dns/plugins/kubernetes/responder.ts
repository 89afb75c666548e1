import { networkInterfaces } from "node:os";
import { type Ip, isIp, parseIp } from "#addr/ip";
import { type Name, relativeTo, zoneOf } from "#wire/dns/name";
import { TYPE } from "#wire/dns/numbers";
import { addressRecord, nameRecord, textRecord } from "#wire/dns/record";
import { reverseIp } from "#wire/dns/reverse";
import type { PluginHost } from "../../plugin.ts";
import type { Query } from "../../query.ts";
import { Reply, type ReplyOptions, type Sections } from "../../reply.ts";
import type { KubernetesConfig } from "./config.ts";
import type { Directory, Entry } from "./directory.ts";
import { externalReply } from "./external-name.ts";
import { type Asked, parseAsked } from "./parse-name.ts";
import { podIp } from "./pod-ip.ts";
import { addressSections, srvSections } from "./records.ts";
import { serviceName, targetsOf } from "./targets.ts";
import { ZoneReplies } from "./zone-replies.ts";

export type PodsWithIp = (ip: Ip) => readonly { readonly namespace: string }[];

/** What the plugin makes of a question: a reply, or that the name does not exist, so that others may be asked. */
export type Outcome =
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "no-data" }
  | { readonly kind: "no-name" };

const NO_DATA: Outcome = { kind: "no-data" };
const NO_NAME: Outcome = { kind: "no-name" };
const VERSION = "1.1.0";
const VERSION_TTL = 28_800;

/** Answers questions about one cluster from its directory. */
export class Responder {
  readonly #config: KubernetesConfig;
  readonly #directory: Directory;
  readonly #podsWithIp: PodsWithIp;
  readonly #host: Pick<PluginHost, "resolve">;
  readonly #zones: ReadonlyMap<Name, ZoneReplies>;

  constructor(
    config: KubernetesConfig,
    deps: { directory: Directory; podsWithIp: PodsWithIp; host: Pick<PluginHost, "resolve"> },
  ) {
    this.#config = config;
    this.#directory = deps.directory;
    this.#podsWithIp = deps.podsWithIp;
    this.#host = deps.host;
    this.#zones = new Map(config.zones.map((zone) => [zone, new ZoneReplies(zone, config.ttl)]));
  }

  /** The zone of ours that a name lies in. */
  zoneOf(name: Name): Name | undefined {
    return zoneOf(name, this.#config.zones);
  }

  /** The reply that says a name or its records do not exist. */
  negative(zone: Name, kind: "no-data" | "no-name"): Reply {
    const replies = this.#zones.get(zone);
    if (replies === undefined) throw new Error(`broken invariant: ${zone} is not served`);
    return kind === "no-data"
      ? replies.noData(this.#directory.serial)
      : replies.noName(this.#directory.serial);
  }

  ask(query: Query, zone: Name): Outcome | Promise<Outcome> {
    const { name, type } = query.question;
    if (type === TYPE.PTR && zone.endsWith("arpa.")) return this.#pointers(name, zone);
    const asked = parseAsked(relativeTo(name, zone));
    switch (asked.kind) {
      case "nothing":
        return NO_NAME;
      case "branch":
        return NO_DATA;
      case "apex":
        return this.#apex(query, zone);
      case "version": {
        if (type !== TYPE.TXT) return NO_NAME;
        return live({ answers: [textRecord(name, TYPE.TXT, VERSION_TTL, [VERSION])] });
      }
      case "nameserver":
        return this.#addressesOf(name, type, localIps());
      case "namespace":
        return this.#hasNamespace(asked.namespace) ? NO_DATA : NO_NAME;
      case "pod":
        return this.#pod(asked, name, type);
      case "service":
        return this.#service(asked, query, zone);
      default:
        return asked satisfies never;
    }
  }

  #service(asked: Extract<Asked, { kind: "service" }>, query: Query, zone: Name): Outcome | Promise<Outcome> {
    const { name, type } = query.question;
    const entry = this.#find(asked.namespace, asked.service);
    if (entry === undefined) return NO_NAME;
    const { facts, replies } = entry;
    if (facts.exposure.kind === "external") {
      if (asked.endpoint !== "" || asked.port !== "" || asked.protocol !== "" || isIp(facts.exposure.target))
        return NO_NAME;
      return externalReply(facts.exposure.target, query, {
        ttl: this.#config.ttl,
        resolve: this.#host.resolve,
        isOurs: (target) => this.zoneOf(target) !== undefined,
      });
    }
    const key = `${type} ${name}`;
    const made = replies.get(key);
    if (made !== undefined) return { kind: "reply", reply: made };
    if (this.#config.ignoresEmptyServices && facts.backends.length === 0) return NO_NAME;
    const targets = targetsOf(facts, asked, zone);
    if (targets.length === 0) return NO_NAME;
    const outcome = this.#sections(targets, name, type);
    if (outcome.kind === "reply") replies.set(key, outcome.reply);
    return outcome;
  }

  #sections(targets: ReturnType<typeof targetsOf>, name: Name, type: number): Outcome {
    const { ttl } = this.#config;
    if (type === TYPE.A || type === TYPE.AAAA) return found(addressSections(targets, name, type, ttl));
    if (type === TYPE.SRV) return found(srvSections(targets, name, ttl));
    return NO_DATA;
  }

  #apex({ question }: Query, zone: Name): Outcome {
    const { name, type } = question;
    if (type === TYPE.SOA) return live({ answers: [this.#soa(zone)] });
    if (type !== TYPE.NS) return NO_DATA;
    const servers = this.#nameservers(zone);
    const answers = [...servers.keys()].map((server) => nameRecord(name, TYPE.NS, this.#config.ttl, server));
    const glue = [...servers].flatMap(([server, ips]) =>
      ips.map((ip) => addressRecord(server, this.#config.ttl, ip)),
    );
    return live({ answers, additional: glue });
  }

  #soa(zone: Name): ReturnType<ZoneReplies["soa"]> {
    const replies = this.#zones.get(zone);
    if (replies === undefined) throw new Error(`broken invariant: ${zone} is not served`);
    return replies.soa(this.#directory.serial);
  }

  /** The services that stand in front of this very server, or the made-up name `ns.dns` with its addresses. */
  #nameservers(zone: Name): ReadonlyMap<Name, readonly Ip[]> {
    const ips = localIps();
    const mine = new Map<Name, readonly Ip[]>();
    for (const { facts } of ips.flatMap((ip) => this.#directory.withBackend(ip))) {
      const own = facts.backends.filter((backend) => ips.includes(backend.ip));
      if (facts.exposure.kind === "cluster")
        mine.set(serviceName(facts, this.#config.primaryZone), facts.exposure.ips);
      else
        for (const { label, ip } of own)
          mine.set(`${label}.${serviceName(facts, this.#config.primaryZone)}`, [ip]);
    }
    return mine.size > 0 ? mine : new Map([[`ns.dns.${zone === "." ? "" : zone}`, ips]]);
  }

  #pod({ namespace, label }: Extract<Asked, { kind: "pod" }>, name: Name, type: number): Outcome {
    const ip = podIp(label);
    if (this.#config.pods === "disabled" || ip === undefined || !this.#hasNamespace(namespace))
      return NO_NAME;
    if (this.#config.pods === "verified" && !this.#podsWithIp(ip).some((pod) => pod.namespace === namespace))
      return NO_NAME;
    return this.#addressesOf(name, type, [ip]);
  }

  #addressesOf(name: Name, type: number, ips: readonly Ip[]): Outcome {
    if (type !== TYPE.A && type !== TYPE.AAAA) return NO_DATA;
    return found(
      addressSections(
        ips.map((ip) => ({ ip, port: -1, host: name })),
        name,
        type,
        this.#config.ttl,
      ),
    );
  }

  /** A cluster address names its service; any other address names every endpoint that has it. */
  #pointers(name: Name, zone: Name): Outcome {
    const made = this.#directory.pointers.get(name);
    if (made !== undefined) return { kind: "reply", reply: made };
    const outcome = this.#makePointers(name, zone);
    if (outcome.kind === "reply") this.#directory.pointers.set(name, outcome.reply);
    return outcome;
  }

  #makePointers(name: Name, zone: Name): Outcome {
    const ip = reverseIp(name);
    if (ip === undefined) return name === zone ? NO_DATA : NO_NAME;
    const { primaryZone, ttl } = this.#config;
    const [owner] = this.#directory
      .withClusterIp(ip)
      .filter((entry) => this.#isExposed(entry.facts.namespace));
    const targets = owner
      ? [serviceName(owner.facts, primaryZone)]
      : this.#directory
          .withBackend(ip)
          .filter((entry) => this.#isExposed(entry.facts.namespace))
          .flatMap(({ facts }) =>
            facts.backends
              .filter((backend) => backend.ip === ip)
              .map(({ label }) => `${label}.${serviceName(facts, primaryZone)}`),
          );
    if (targets.length === 0) return NO_NAME;
    return live({ answers: [...new Set(targets)].map((target) => nameRecord(name, TYPE.PTR, ttl, target)) });
  }

  #find(namespace: string, service: string): Entry | undefined {
    return this.#isExposed(namespace) ? this.#directory.find(namespace, service) : undefined;
  }

  #hasNamespace(namespace: string): boolean {
    return this.#isExposed(namespace) && this.#directory.hasNamespace(namespace);
  }

  #isExposed(namespace: string): boolean {
    if (this.#config.namespaces !== undefined) return this.#config.namespaces.has(namespace);
    return this.#config.namespaceLabels === undefined || this.#directory.hasNamespace(namespace);
  }
}

/** Records, or the news that there are none of the type. */
function found(sections: Sections): Outcome {
  return (sections.answers ?? []).length === 0 ? NO_DATA : live(sections);
}

function live(options: ReplyOptions): Outcome {
  return { kind: "reply", reply: new Reply({ ...options, isAuthoritative: true, isLive: true }) };
}

/** The addresses of this machine or pod that others can reach. */
function localIps(): Ip[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && isIp(address) && !address.startsWith("fe80:"))
    .map(({ address }) => parseIp(address));
}
