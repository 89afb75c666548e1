/** The commands that let traffic through somebody's firewall, in that firewall's own words. */
import { type Cidr, cidrFamily } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { familyOf, type Ip } from "#addr/ip";
import type { Found } from "./find.ts";
import type { FirewallOwner } from "./finding.ts";
import type { FilterChain } from "./rule.ts";

/** Nodes that a rule is written for one by one; a cluster of more gets one rule for the port. */
const MOST_NODES = 8;

export function adviceFor(owner: FirewallOwner, found: Found): readonly string[] {
  switch (owner) {
    case "firewalld":
      return firewalld(found);
    case "ufw":
      return ufw(found);
    case "k3s":
      return ["twill cleanup --rules"];
    case "docker":
    case "iptables":
      return iptables(found);
    case "nftables":
      return nft(found);
    case "nm-cloud-setup":
      return [];
    default:
      return owner satisfies never;
  }
}

/** Pods are sources of the zone that accepts all. A port is opened in the zone that the packets went through. */
function firewalld({ traffic, needs, drop }: Found): readonly string[] {
  const add = (what: string) => `firewall-cmd --permanent ${what}`;
  const zone = drop.through.map(zoneOf).findLast((name) => name !== undefined);
  const opened =
    traffic.port === undefined
      ? [...needs.clusterCidrs, ...needs.serviceCidrs].map((cidr) =>
          add(`--zone=trusted --add-source=${cidr}`),
        )
      : [add(`${zone === undefined ? "" : `--zone=${quoted(zone)} `}--add-port=${traffic.port}`)];
  return [...opened, "firewall-cmd --reload"];
}

/** `filter_IN_public` is of zone public; `filter_IN_public_allow` is a part of it. */
function zoneOf(chain: string): string | undefined {
  return /^filter_(?:IN|FWD[IO]?)_(?!.*_(?:pre|log|deny|allow|post)$)(.+)$/.exec(chain)?.[1];
}

function ufw({ traffic, needs }: Found): readonly string[] {
  const cidrs = needs.clusterCidrs.filter((cidr) => cidrFamily(cidr) === traffic.family);
  if (traffic.kind === "pods" || traffic.kind === "pods-out") {
    const route = (word: string) => cidrs.map((cidr) => `ufw route allow ${word} ${cidr}`);
    return [...route("from"), ...route("to")];
  }
  if (traffic.port === undefined) return cidrs.map((cidr) => `ufw allow from ${cidr} to any`);
  const [port, protocol] = traffic.port.split("/");
  return fromNodes(ofFamily(needs.peerIps, traffic.family)).map(
    (source) => `ufw allow proto ${protocol} from ${source ?? anyOf(traffic.family)} to any port ${port}`,
  );
}

function iptables(found: Found): readonly string[] {
  const { base, byName, traffic } = found;
  const program = iptablesProgram(found);
  // The one chain that Docker leaves to others.
  const isDockers =
    traffic.hook === "forward" && callsChain(base, "DOCKER-USER") && byName.has("DOCKER-USER");
  const chain = isDockers ? "DOCKER-USER" : base.name;
  const table = base.table === "filter" ? "" : ` -t ${base.table}`;
  return matchesFor(found, {
    source: (source) => `-s ${source}`,
    destination: (destination) => `-d ${destination}`,
    port: (protocol, port) => `-p ${protocol} --dport ${port}`,
  }).map((match) => `${program}${table} -I ${chain} ${match} -j ACCEPT`);
}

function iptablesProgram({ base, traffic, hints }: Found): string {
  const name = traffic.family === 4 ? "iptables" : "ip6tables";
  if (base.engine === "old") return hints.iptablesIsOld ? name : `${name}-legacy`;
  return hints.iptablesIsOld ? `${name}-nft` : name;
}

function nft(found: Found): readonly string[] {
  const { base, traffic } = found;
  const ip = FAMILY[traffic.family].nft;
  const only = base.family === "inet" ? `meta nfproto ${traffic.family === 4 ? "ipv4" : "ipv6"} ` : "";
  const where = `${base.family} ${quoted(base.table)} ${quoted(base.name)}`;
  return matchesFor(found, {
    source: (source) => `${ip} saddr ${source}`,
    destination: (destination) => `${ip} daddr ${destination}`,
    port: (protocol, port) => `${only}${protocol} dport ${port}`,
  }).map(
    (match) =>
      `nft insert rule ${where} ${match.replace(/^(ip6? saddr \S+) meta nfproto \S+ /, "$1 ")} accept`,
  );
}

interface Words {
  readonly source: (source: Cidr | Ip) => string;
  readonly destination: (destination: Cidr) => string;
  readonly port: (protocol: string, port: string) => string;
}

/** What each rule matches, in a firewall's words. */
function matchesFor({ traffic, needs }: Found, words: Words): readonly string[] {
  const cidrs = needs.clusterCidrs.filter((cidr) => cidrFamily(cidr) === traffic.family);
  if (traffic.kind === "pods" || traffic.kind === "pods-out")
    return [...cidrs.map(words.source), ...cidrs.map(words.destination)];
  if (traffic.port === undefined) return cidrs.map(words.source);
  const [port = "", protocol = ""] = traffic.port.split("/");
  return fromNodes(ofFamily(needs.peerIps, traffic.family)).map((source) =>
    source === undefined
      ? words.port(protocol, port)
      : `${words.source(source)} ${words.port(protocol, port)}`,
  );
}

/** Each node by itself, or undefined for all at once where there are none or many. */
function fromNodes(peers: readonly Ip[]): readonly (Ip | undefined)[] {
  return peers.length === 0 || peers.length > MOST_NODES ? [undefined] : peers;
}

function ofFamily(ips: readonly Ip[], family: 4 | 6): readonly Ip[] {
  return ips.filter((ip) => familyOf(ip) === family);
}

function anyOf(family: 4 | 6): string {
  return family === 4 ? "0.0.0.0/0" : "::/0";
}

function callsChain(base: FilterChain, name: string): boolean {
  return base.rules.some(({ action }) => "chain" in action && action.chain === name);
}

/** Names come from whoever made the table. */
function quoted(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}
