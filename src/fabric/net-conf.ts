/** Flannel's `net-conf.json`: the pods' networks, and how their packets travel. Every option is honoured or refused by name. */
import { addressOf, type Cidr, cidrFamily, parseCidr, prefixLength } from "#addr/cidr";
import { FAMILIES, FAMILY, type Family, type PerFamily } from "#addr/family";
import { explain } from "#fault/fault";
import { ConfFields, type Findings, isObject } from "./conf-fields.ts";
import type { FabricBackend } from "./model.ts";
import { readBackend } from "./net-conf-backend.ts";

export interface NetConf {
  /** The networks of all pods; a family that is not enabled is absent. */
  readonly networks: PerFamily<Cidr>;
  readonly backend: FabricBackend;
}

export type NetConfReading =
  | { readonly kind: "good"; readonly conf: NetConf; readonly warnings: readonly string[] }
  | { readonly kind: "bad"; readonly problems: readonly string[]; readonly warnings: readonly string[] };

const FIELDS = {
  4: { enable: "EnableIPv4", isOn: true, network: "Network", example: "10.42.0.0/16" },
  6: { enable: "EnableIPv6", isOn: false, network: "IPv6Network", example: "fd00:42::/56" },
} as const;
/** How flannel on etcd divides the network among nodes. */
const OF_ETCD = [
  "SubnetMin",
  "SubnetMax",
  "SubnetLen",
  "IPv6SubnetMin",
  "IPv6SubnetMax",
  "IPv6SubnetLen",
] as const;

/** Reads the text; every sentence begins with `file`. Nothing in it throws. */
export function readNetConf(text: string, file: string): NetConfReading {
  const findings: Findings = { problems: [], warnings: [] };
  const conf = read(text, findings);
  const told = (sentences: readonly string[]) => sentences.map((each) => `${file}: ${each}`);
  const warnings = told(findings.warnings);
  if (conf === undefined || findings.problems.length > 0)
    return { kind: "bad", problems: told(findings.problems), warnings };
  return { kind: "good", conf, warnings };
}

function read(text: string, findings: Findings): NetConf | undefined {
  const raw = parse(text, findings);
  if (raw === undefined) return undefined;
  const fields = new ConfFields(raw, "", findings);
  const networks = readNetworks(fields);
  for (const key of OF_ETCD) {
    if (fields.has(key))
      fields.problem(
        key,
        "is for flannel on etcd; here Kubernetes gives each node its subnet, whose size is kube-controller-manager's node-cidr-mask-size: leave it out",
      );
  }
  // Rules are nftables' here, whatever it says.
  fields.flag("EnableNFTables", true);
  const families = FAMILIES.filter((family) => networks[family] !== undefined);
  const backend = readBackendField(fields, families, findings);
  fields.warnOfOthers("flannel");
  return backend && { networks, backend };
}

function parse(text: string, findings: Findings): Readonly<Record<string, unknown>> | undefined {
  try {
    const raw: unknown = JSON.parse(text);
    if (isObject(raw)) return raw;
    findings.problems.push(
      'is not an object such as {"Network": "10.42.0.0/16", "Backend": {"Type": "vxlan"}}',
    );
  } catch (error) {
    findings.problems.push(`is not JSON: ${explain(error)}`);
  }
  return undefined;
}

function readNetworks(fields: ConfFields): PerFamily<Cidr> {
  const networks: { 4?: Cidr; 6?: Cidr } = {};
  let hasOne = false;
  for (const family of FAMILIES) {
    const { enable, isOn, network, example } = FIELDS[family];
    const isEnabled = fields.flag(enable, isOn);
    const cidr = readNetwork(fields, family);
    hasOne ||= isEnabled;
    if (cidr === "bad") continue;
    if (isEnabled && cidr !== undefined) networks[family] = cidr;
    else if (isEnabled)
      fields.bad(network, `write the network of all pods, such as "${example}", or "${enable}": false`);
    else if (cidr !== undefined) fields.warn(network, `is ignored, because "${enable}" is not true`);
  }
  if (!hasOne) fields.problem("EnableIPv4", `and EnableIPv6 are both false; make one of them true`);
  return networks;
}

/** Nothing where the field is missing or is every address of the family: so K3s writes a family that is not there. */
function readNetwork(fields: ConfFields, family: Family): Cidr | undefined | "bad" {
  const { network, example } = FIELDS[family];
  const write = `write an IPv${family} network such as "${example}"`;
  const text = fields.text(network, write);
  if (text === undefined) return fields.has(network) ? "bad" : undefined;
  try {
    const cidr = parseCidr(text, { hostBits: "clear" });
    if (cidrFamily(cidr) === family) {
      if (!text.trim().startsWith(addressOf(cidr)) && cidrFamily(cidr) === 4)
        fields.warn(network, `is ${JSON.stringify(text)}, which is read as ${cidr}`);
      return prefixLength(cidr) === 0 ? undefined : cidr;
    }
  } catch {}
  fields.bad(network, write);
  return "bad";
}

function readBackendField(
  fields: ConfFields,
  families: readonly Family[],
  findings: Findings,
): FabricBackend | undefined {
  const raw = fields.raw("Backend");
  if (isObject(raw)) return readBackend(new ConfFields(raw, "Backend.", findings), families);
  const write = 'write {"Type": "vxlan"}, or host-gw or wireguard in its place';
  if (raw === undefined) fields.problem("Backend", `is missing, which is flannel's udp; ${write}`);
  else fields.bad("Backend", write);
  return undefined;
}

const K3S_BACKENDS = {
  vxlan: { Type: "vxlan" },
  "host-gw": { Type: "host-gw" },
  wireguard: { Type: "wireguard", PersistentKeepaliveInterval: 25 },
} as const;

/** The file as K3s writes it. */
export function formatNetConf(clusterCidrs: readonly Cidr[], kind: FabricBackend["kind"]): string {
  const network = (family: Family) => clusterCidrs.find((cidr) => cidrFamily(cidr) === family);
  const backend = JSON.stringify(K3S_BACKENDS[kind], undefined, "\t");
  return [
    "{",
    `\t"Network": "${network(4) ?? `${FAMILY[4].any}/0`}",`,
    `\t"EnableIPv6": ${network(6) !== undefined},`,
    `\t"EnableIPv4": ${network(4) !== undefined},`,
    `\t"IPv6Network": "${network(6) ?? `${FAMILY[6].any}/0`}",`,
    `\t"Backend": ${backend}`,
    "}",
    "",
  ].join("\n");
}
