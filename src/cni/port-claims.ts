import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addressOf, type IpPrefix } from "#addr/cidr";
import { FAMILY } from "#addr/family";
import { familyOf, type Ip, isIp, parseIp } from "#addr/ip";
import { hostVethName } from "./cable.ts";
import { CniFault } from "./cni-fault.ts";
import type { AttachmentKey, PortMapping, ReservedPort } from "./model.ts";
import { PORT_PROTOCOLS, type PortEntry, type PortProtocol } from "./port-program.ts";

/** The host ports one container has. */
export interface PortClaim extends AttachmentKey {
  readonly entries: readonly PortEntry[];
}

/** A mapping leads to the pod's address of each family: of the host address's where it names one, else of all.
 *  @throws {CniFault} "BadRequest" */
export function readPortMappings(
  mappings: readonly PortMapping[],
  ips: readonly IpPrefix[],
): readonly PortEntry[] {
  const entries: PortEntry[] = [];
  for (const mapping of mappings) {
    // Runtimes pass ports that are not published, too.
    if (mapping.hostPort === 0) continue;
    const protocol = readProtocol(mapping);
    const hostIp = readHostIp(mapping);
    const { hostPort, containerPort } = mapping;
    for (const port of [hostPort, containerPort])
      if (!Number.isInteger(port) || port < 1 || port > 65_535) throw bad(mapping, `${port} is no port`);
    for (const ip of ips.map(addressOf))
      if (hostIp === undefined || familyOf(hostIp) === familyOf(ip))
        entries.push({ protocol, hostIp, hostPort, ip, containerPort });
  }
  return entries;
}

/** @throws {CniFault} "Taken" where one of them is the node's own: whoever had it would have what is sent to the node */
export function checkReserved(entries: readonly PortEntry[], reserved: readonly ReservedPort[]): void {
  for (const { protocol, hostPort } of entries) {
    const own = reserved.find((each) => each.protocol === protocol && each.port === hostPort);
    if (own === undefined) continue;
    throw new CniFault(
      "Taken",
      `Cannot publish host port ${hostPort}/${protocol}: this node needs it for ${own.why}`,
      {
        hostPort,
      },
    );
  }
}

function readProtocol(mapping: PortMapping): PortProtocol {
  const name = mapping.protocol.toLowerCase();
  for (const protocol of ["tcp", "udp", "sctp"] as const) if (name === protocol) return protocol;
  throw bad(mapping, `protocol ${JSON.stringify(mapping.protocol)} is none of TCP, UDP and SCTP`);
}

function readHostIp(mapping: PortMapping): Ip | undefined {
  const { hostIP } = mapping;
  if (!hostIP) return undefined;
  if (!isIp(hostIP)) throw bad(mapping, `${JSON.stringify(hostIP)} is no address`);
  const ip = parseIp(hostIP);
  return ip === FAMILY[familyOf(ip)].any ? undefined : ip;
}

function bad({ hostPort, containerPort }: PortMapping, why: string): CniFault {
  return new CniFault("BadRequest", `Cannot publish port ${containerPort} as host port ${hostPort}: ${why}`, {
    hostPort,
    containerPort,
  });
}

/** Claims on disk, a file a cable: elements in the kernel do not say whose they are, and outlive this process. */
export class PortClaims {
  readonly #dir: string;
  readonly #claims = new Map<string, PortClaim>();

  /** Oldest first, for of two claims on one port the later one has it. */
  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    const files = readdirSync(dir)
      .filter((name) => name.endsWith(".json"))
      .map((name) => ({ name, at: statSync(join(dir, name)).mtimeMs }))
      .sort((a, b) => a.at - b.at);
    for (const { name } of files) {
      const claim = parseClaim(readFileSync(join(dir, name), "utf8"));
      if (claim) this.#claims.set(hostVethName(claim), claim);
    }
  }

  list(): readonly PortClaim[] {
    return [...this.#claims.values()];
  }

  has(key: AttachmentKey): boolean {
    return this.#claims.has(hostVethName(key));
  }

  find(key: AttachmentKey): PortClaim | undefined {
    return this.#claims.get(hostVethName(key));
  }

  put(claim: PortClaim): void {
    const name = hostVethName(claim);
    const path = join(this.#dir, `${name}.json`);
    writeFileSync(`${path}.new`, JSON.stringify(claim), { mode: 0o600 });
    renameSync(`${path}.new`, path);
    this.#claims.delete(name);
    this.#claims.set(name, claim);
  }

  delete(key: AttachmentKey): void {
    const name = hostVethName(key);
    rmSync(join(this.#dir, `${name}.json`), { force: true });
    this.#claims.delete(name);
  }
}

/** Nothing for what is not a claim of ours: a half-written file must not keep the node from starting. */
function parseClaim(text: string): PortClaim | undefined {
  try {
    const json = JSON.parse(text) as Partial<PortClaim>;
    if (typeof json.containerId !== "string" || typeof json.ifname !== "string") return undefined;
    if (!Array.isArray(json.entries) || !json.entries.every(isEntry)) return undefined;
    return { containerId: json.containerId, ifname: json.ifname, entries: json.entries };
  } catch {
    return undefined;
  }
}

function isEntry(value: unknown): value is PortEntry {
  if (typeof value !== "object" || value === null) return false;
  const entry = value as Partial<Record<keyof PortEntry, unknown>>;
  return (
    typeof entry.protocol === "string" &&
    entry.protocol in PORT_PROTOCOLS &&
    typeof entry.ip === "string" &&
    isIp(entry.ip) &&
    (entry.hostIp === undefined || (typeof entry.hostIp === "string" && isIp(entry.hostIp))) &&
    typeof entry.hostPort === "number" &&
    typeof entry.containerPort === "number"
  );
}
