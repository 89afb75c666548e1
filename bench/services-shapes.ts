/** The same services as kube-proxy writes them, in rules as few as its own: a chain for each service in its nftables mode, a chain
 *  for each service and each endpoint in its iptables mode. */
import { backends, clusterIp, PROBE, type Shape } from "./services-objects.ts";

const PODS = "10.42.0.0/16";
const SERVICE_IPS = "10.43.0.0/16";

interface Entry {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly endpoints: readonly string[];
}

/** The probe stands in the middle, where a list costs what it costs on average. */
function entriesOf(shape: Shape): Entry[] {
  const entries = Array.from({ length: shape.services }, (_, i) => entryOf(i, shape));
  const probes = (["tcp", "udp"] as const).map((protocol): Entry => {
    const endpoints = [`${PROBE.podIp}:${PROBE.podPort}`];
    return { name: `probe-${protocol}`, ip: PROBE.clusterIP, port: PROBE.port, protocol, endpoints };
  });
  return entries.toSpliced(Math.floor(entries.length / 2), 0, ...probes);
}

function entryOf(i: number, shape: Shape, version = 0): Entry {
  const endpoints = backends(i, shape.endpoints, version).map((ip) => `${ip}:8080`);
  return { name: `s${i}`, ip: clusterIp(i), port: 80, protocol: "tcp", endpoints };
}

/** For `nft -f`. */
export function nftShape(shape: Shape): string {
  const entries = entriesOf(shape);
  const chains = entries.map((entry) => `  chain ${entry.name} { ${nftRule(entry)}; }\n`).join("");
  const map = entries.map(({ name, ip, port, protocol }) => `${ip} . ${protocol} . ${port} : goto ${name}`);
  const ips = [...new Set(entries.map(({ ip }) => ip))].join(", ");
  const frontend = "ip daddr . meta l4proto . th dport";
  const type = "type ipv4_addr . inet_proto . inet_service : verdict;";
  return `table ip peer {
${chains}  set cluster-ips { type ipv4_addr; elements = { ${ips} } }
  map service-ips { ${type} elements = { ${map.join(", ")} } }
  map no-endpoint-services { ${type} }
  map firewall-ips { ${type} }
  set hairpin-connections { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }
  chain mark-it { meta mark set meta mark | 0x4000; }
  chain all-services { ip daddr @cluster-ips ip saddr != ${PODS} jump mark-it; ${frontend} vmap @service-ips; }
  chain endpoints-check { ${frontend} vmap @no-endpoint-services; }
  chain cluster-ips-check { ip daddr @cluster-ips reject; ip daddr ${SERVICE_IPS} drop; }
  chain firewall-check { ${frontend} vmap @firewall-ips; }
  chain masquerading {
    meta mark & 0x4000 == 0 return; meta mark set meta mark ^ 0x4000; masquerade fully-random
  }
  chain filter-prerouting { type filter hook prerouting priority -110; ct state new jump firewall-check; }
  chain filter-output-pre { type filter hook output priority -110; ct state new jump firewall-check; }
  chain filter-input { type filter hook input priority 0; ct state new jump endpoints-check; }
  chain filter-forward { type filter hook forward priority 0; ct state new jump endpoints-check; ct state new jump cluster-ips-check; }
  chain filter-output { type filter hook output priority 0; ct state new jump endpoints-check; ct state new jump cluster-ips-check; }
  chain nat-prerouting { type nat hook prerouting priority -100; jump all-services; }
  chain nat-output { type nat hook output priority -100; jump all-services; }
  chain nat-postrouting { type nat hook postrouting priority 100; ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random; jump masquerading; }
}\n`;
}

/** For `nft -f`: one endpoint differs. */
export function nftShapeChange(i: number, shape: Shape, version: number): string {
  return `flush chain ip peer s${i}\nadd rule ip peer s${i} ${nftRule(entryOf(i, shape, version))}\n`;
}

function nftRule({ endpoints, protocol }: Entry): string {
  const map = endpoints.map((endpoint, n) => `${n} : ${endpoint.replace(":", " . ")}`);
  return `meta l4proto ${protocol} dnat ip to numgen random mod ${endpoints.length} map { ${map.join(", ")} }`;
}

/** For `iptables-restore --noflush`. */
export function iptablesShape(shape: Shape): string {
  const entries = entriesOf(shape);
  const chains = entries.flatMap((entry) => chainNames(entry).map((name) => `:${name} - [0:0]`));
  const lookups = entries.map(
    (entry) =>
      `-A KUBE-SERVICES -d ${entry.ip}/32 -p ${entry.protocol} -m comment --comment "default/${entry.name} cluster IP" -m ${entry.protocol} --dport ${entry.port} -j ${serviceChain(entry)}`,
  );
  return [
    "*filter",
    ":KUBE-FORWARD - [0:0]",
    "-A FORWARD -j KUBE-FORWARD",
    "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP",
    "-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT",
    "-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    "COMMIT",
    "*nat",
    ":KUBE-SERVICES - [0:0]",
    ":KUBE-MARK-MASQ - [0:0]",
    ":KUBE-POSTROUTING - [0:0]",
    ...chains,
    "-A PREROUTING -j KUBE-SERVICES",
    "-A OUTPUT -j KUBE-SERVICES",
    "-A POSTROUTING -j KUBE-POSTROUTING",
    "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
    "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
    "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
    "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
    ...lookups,
    ...entries.flatMap(iptablesRules),
    "COMMIT",
    "",
  ].join("\n");
}

/** For `iptables-restore --noflush`: one endpoint differs. */
export function iptablesShapeChange(i: number, shape: Shape, version: number): string {
  const entry = entryOf(i, shape, version);
  const chains = chainNames(entry).map((name) => `:${name} - [0:0]`);
  return ["*nat", ...chains, ...iptablesRules(entry), "COMMIT", ""].join("\n");
}

function iptablesRules(entry: Entry): string[] {
  const { endpoints, protocol, ip, port, name } = entry;
  const service = serviceChain(entry);
  const choose = endpoints.map((_, n) => {
    const left = endpoints.length - n;
    const chance = left === 1 ? "" : ` -m statistic --mode random --probability ${(1 / left).toFixed(10)}`;
    return `-A ${service} -m comment --comment "default/${name}"${chance} -j ${endpointChain(entry, n)}`;
  });
  const go = endpoints.map(
    (endpoint, n) =>
      `-A ${endpointChain(entry, n)} -p ${protocol} -m comment --comment "default/${name}" -m ${protocol} -j DNAT --to-destination ${endpoint}`,
  );
  const masquerade = `-A ${service} ! -s ${PODS} -d ${ip}/32 -p ${protocol} -m ${protocol} --dport ${port} -j KUBE-MARK-MASQ`;
  return [masquerade, ...choose, ...go];
}

function chainNames(entry: Entry): string[] {
  return [serviceChain(entry), ...entry.endpoints.map((_, n) => endpointChain(entry, n))];
}

function serviceChain({ name }: Entry): string {
  return `KUBE-SVC-${name}`;
}

function endpointChain({ name }: Entry, n: number): string {
  return `KUBE-SEP-${name}-${n}`;
}
