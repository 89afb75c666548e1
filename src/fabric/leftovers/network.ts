/** What a node's network leaves in the kernel and on disk: K3s's, and Twill's own, which has the same names. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { prefixLength } from "#addr/cidr";
import { FAMILIES, FAMILY } from "#addr/family";
import { isFault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import { withFileLock } from "#kernel/file-lock";
import type { Kernel, Link, Route } from "#kernel/kernel";
import { closeLoopback } from "#kernel/loopback-guard";
import type { PacketFilters } from "#kernel/packet-filters";
import { findRuleLeftovers } from "./read-rules.ts";
import { oldLeftovers, renderNftRemoval, type TableLeftovers } from "./rules.ts";

export type NetworkLeftover =
  | { readonly kind: "namespace"; readonly path: string }
  | { readonly kind: "link"; readonly name: string; readonly index: number }
  | { readonly kind: "wireguard"; readonly name: string }
  | { readonly kind: "route"; readonly route: Route }
  | { readonly kind: "table"; readonly family: string; readonly table: string }
  | TableLeftovers
  | { readonly kind: "folder"; readonly path: string };

export interface NetworkPlaces {
  readonly netnsDir: string;
  /** Folders that go with all that is in them. */
  readonly folders: readonly string[];
  /** A folder whose files go; what else is in it is others' (labs). */
  readonly filesIn: readonly string[];
}

/** As K3s and Twill have them. */
export const NETWORK_PLACES: NetworkPlaces = {
  netnsDir: CLAIMS.netnsDir,
  folders: ["/var/lib/cni", "/run/flannel"],
  filesIn: ["/run/twill"],
};

/** Devices that the script deletes, but for those that WireGuard carries. */
const LINKS: readonly string[] = [
  CLAIMS.devices.bridge,
  CLAIMS.devices.vxlan[4],
  CLAIMS.devices.vxlan[6],
  "kube-ipvs0",
];
const WIREGUARD: readonly string[] = Object.values(CLAIMS.devices.wireguard);
/** Tables of nftables that are not ours, and whole somebody's: kube-proxy's and flannel's, where they were told to use it. */
const KUBERNETES_TABLES = ["kube-proxy", "flannel-ipv4", "flannel-ipv6"];

const XTABLES_LOCK = "/run/xtables.lock";
const LOCK_MS = 5_000;

type Cleaned = Pick<Kernel, "netlink" | "nft" | "sysctl" | "openFilters" | "wireguard" | "deleteNetns">;

/** What there is, in the order in which it goes. @throws {NetlinkError} {SyscallFault} */
export function findNetworkLeftovers(
  kernel: Cleaned,
  places: NetworkPlaces = NETWORK_PLACES,
): readonly NetworkLeftover[] {
  using filters = kernel.openFilters();
  const chains = filters.listChains();
  return [
    ...namesIn(places.netnsDir)
      .filter((name) => name.startsWith("cni-"))
      .map((name): NetworkLeftover => ({ kind: "namespace", path: join(places.netnsDir, name) })),
    ...linkLeftovers(kernel),
    ...routeLeftovers(kernel),
    ...tableLeftovers(chains),
    ...findRuleLeftovers(filters),
    ...places.folders
      .filter((path) => existsSync(path))
      .map((path): NetworkLeftover => ({ kind: "folder", path })),
    ...places.filesIn.flatMap(filesIn).map((path): NetworkLeftover => ({ kind: "folder", path })),
  ];
}

function linkLeftovers({ netlink }: Cleaned): readonly NetworkLeftover[] {
  const links = netlink.listLinks();
  const bridge = links.find(({ name }) => name === CLAIMS.devices.bridge);
  const ports = links.filter(({ master }) => bridge !== undefined && master === bridge.index);
  const named = LINKS.flatMap((name) => links.find((link) => link.name === name) ?? []);
  const pacers = links.filter(
    ({ name, kind }) => kind === "ifb" && name.startsWith(CLAIMS.devices.pacerPrefix),
  );
  const going = new Map<number, Link>([...ports, ...named, ...pacers].map((link) => [link.index, link]));
  return [
    ...[...going.values()].map(({ name, index }): NetworkLeftover => ({ kind: "link", name, index })),
    ...WIREGUARD.filter((device) => links.some(({ name }) => name === device)).map(
      (name): NetworkLeftover => ({ kind: "wireguard", name }),
    ),
  ];
}

/** The fabric's; it never makes a default route, whatever number one has. */
function routeLeftovers({ netlink }: Cleaned): readonly NetworkLeftover[] {
  return FAMILIES.flatMap((family) => netlink.listRoutes(family))
    .filter(
      ({ protocol, table, to }) =>
        protocol === CLAIMS.routeProtocol && table === CLAIMS.routeTable && prefixLength(to) > 0,
    )
    .map((route) => ({ kind: "route", route }));
}

function tableLeftovers(
  chains: readonly { readonly family: string; readonly table: string }[],
): readonly NetworkLeftover[] {
  const names: readonly string[] = [...Object.values(CLAIMS.tables), ...KUBERNETES_TABLES];
  const found = chains
    .filter(({ family, table }) => names.includes(table) && ["ip", "ip6", "inet"].includes(family))
    .map(({ family, table }) => `${family} ${table}`);
  return [...new Set(found)].map((key) => {
    const [family = "", table = ""] = key.split(" ");
    return { kind: "table", family, table };
  });
}

/** Takes one away. Absent is success: an earlier one may have taken it along.
 *  @throws {Fault} what the kernel refuses */
export function removeNetworkLeftover(kernel: Cleaned, leftover: NetworkLeftover): void {
  switch (leftover.kind) {
    case "namespace":
      kernel.deleteNetns(leftover.path);
      return;
    case "link":
      kernel.netlink.deleteLink(leftover.index);
      return;
    case "wireguard":
      kernel.wireguard.remove(leftover.name);
      return;
    case "route":
      kernel.netlink.deleteRoute(leftover.route);
      return;
    case "table":
      // Without it the setting that it guards would leave loopback open.
      if (leftover.table === CLAIMS.tables.loopback) absentIsFine(() => closeLoopback(kernel));
      absentIsFine(() => kernel.nft.run(`delete table ${leftover.family} ${leftover.table}`));
      return;
    case "nft-rules":
      kernel.nft.run(renderNftRemoval(leftover));
      return;
    case "old-rules":
      // The lock that iptables takes for its old tables.
      withFileLock(XTABLES_LOCK, { patienceMs: LOCK_MS }, () => {
        using filters = kernel.openFilters();
        filters.removeOldEntries(leftover.family, leftover.table, oldEntriesNow(filters, leftover));
      });
      return;
    case "folder":
      rmSync(leftover.path, { recursive: true, force: true });
      return;
    default:
      leftover satisfies never;
  }
}

/** Places of rules move with every change of their table, so they are looked up while nobody else may change it. */
function oldEntriesNow(
  filters: PacketFilters,
  { family, table }: Extract<TableLeftovers, { kind: "old-rules" }>,
): ReadonlySet<number> {
  const now = oldLeftovers(family, table, filters.readOldTable(family, table));
  return now?.kind === "old-rules" ? now.entries : new Set();
}

/** In a line, as it is said of what goes and of what went. */
export function describeNetworkLeftover(leftover: NetworkLeftover): string {
  switch (leftover.kind) {
    case "namespace":
      return `network namespace ${leftover.path}`;
    case "link":
    case "wireguard":
      return `device ${leftover.name}`;
    case "route":
      return `route to ${leftover.route.to}`;
    case "table":
      return `nftables table ${leftover.family} ${leftover.table}`;
    case "nft-rules":
      return `iptables rules in table ${leftover.family} ${leftover.table}: ${describeRules(leftover)}`;
    case "old-rules":
      return `legacy iptables rules in table ${FAMILY[leftover.family].nft} ${leftover.table}: ${describeRules(leftover)}`;
    case "folder":
      return leftover.path;
    default:
      return leftover satisfies never;
  }
}

function describeRules({ rules, chains }: TableLeftovers): string {
  const count = rules.length + chains.reduce((sum, chain) => sum + chain.rules, 0);
  const from = [...new Set(rules.map(({ chain }) => chain))];
  const jumps = from.length === 0 ? "" : ` (and what leads to them from ${from.join(", ")})`;
  return `${count} rules, ${chains.length} chains${jumps}`;
}

/** Whether an error only says that it is gone already. */
function absentIsFine(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (!isFault(error) || error.code !== "ENOENT") throw error;
  }
}

function namesIn(dir: string): readonly string[] {
  return existsSync(dir) ? readdirSync(dir).sort() : [];
}

function filesIn(dir: string): readonly string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(dir, entry.name))
    .sort();
}
