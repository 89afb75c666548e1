/** What a machine's kernel holds of the fabric, as `ip`, `bridge` and `nft` tell it: a reader that knows none of our code. */

import assert from "node:assert/strict";
import type { Cidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import type { Ip } from "#addr/ip";
import type { FabricKind } from "#fabric/model";
import type { Node } from "#kube/generated/types";
import { runIn } from "./by-hand.ts";
import { nodeObject, subnetsOf } from "./node-agent.ts";

const OURS = "84";
const PATIENCE_MS = 20_000;

/** Sorted, a line each. */
export interface Listing {
  readonly routes: readonly string[];
  readonly neighbors: readonly string[];
  readonly fdb: readonly string[];
  readonly members: readonly string[];
}

interface RouteRow {
  /** Absent of those that lead somewhere. */
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
  readonly flags?: readonly string[];
}
interface NeighborRow {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state: readonly string[];
}
interface FdbRow {
  readonly mac: string;
  readonly ifname: string;
  readonly dst?: string;
}
interface SetListing {
  readonly nftables: readonly {
    readonly set?: { readonly elem?: readonly (string | { readonly elem: { readonly val: string } })[] };
  }[];
}

/** Everything on tunnels, whoever made it, and the routes to `isPodNetwork` beside them that have our number. */
export function listKernel(path: string, isPodNetwork: (text: string) => boolean): Listing {
  const json = <T>(command: string, ...args: readonly string[]) =>
    JSON.parse(runIn(path, command, ...args) || "[]") as T;
  const routes = ["-4", "-6"]
    .flatMap((family) => json<RouteRow[]>("ip", "-j", "-N", family, "route"))
    .filter(({ type, dst, protocol }) => type === undefined && isPodNetwork(dst) && protocol !== "2")
    .filter(({ dev, protocol }) => protocol === OURS || dev?.startsWith("flannel"));
  const neighbors = ["-4", "-6"]
    .flatMap((family) => json<NeighborRow[]>("ip", "-j", family, "neigh"))
    .filter(({ dev, state }) => dev.startsWith("flannel") && state.includes("PERMANENT"));
  const fdb = json<FdbRow[]>("bridge", "-j", "fdb").filter(
    ({ ifname, dst }) => ifname.startsWith("flannel") && dst !== undefined,
  );
  const members = ["members4", "members6"].flatMap((set) =>
    setIn(path, set).nftables.flatMap(
      (row) => row.set?.elem?.map((elem) => (typeof elem === "string" ? elem : elem.elem.val)) ?? [],
    ),
  );
  return {
    routes: routes
      .map(({ dst, gateway, dev, protocol, flags = [] }) =>
        routeLine({ to: dst, via: gateway, dev, protocol, isOnlink: flags.includes("onlink") }),
      )
      .sort(),
    neighbors: neighbors.map(({ dst, dev, lladdr }) => `${dst} ${lladdr} ${dev}`).sort(),
    fdb: fdb.map(({ mac, ifname, dst }) => `${mac} ${dst} ${ifname}`).sort(),
    members: members.sort(),
  };
}

/** Nothing while somebody has deleted the table. */
function setIn(path: string, name: string): SetListing {
  try {
    return JSON.parse(runIn(path, "nft", "-j", "list", "set", "inet", "twill-fabric", name)) as SetListing;
  } catch {
    return { nftables: [] };
  }
}

function routeLine(route: {
  readonly to: string;
  readonly via: string | undefined;
  readonly dev: string | undefined;
  readonly protocol: string | undefined;
  readonly isOnlink: boolean;
}): string {
  const { to, via, dev, protocol, isOnlink } = route;
  return `${to} via ${via} dev ${dev} proto ${protocol}${isOnlink ? " onlink" : ""}`;
}

/** Resolves once the kernel holds exactly this. */
export async function becomes(list: () => Listing, want: Listing, what = ""): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const wrong = differences(list(), want);
    if (wrong.length === 0) return;
    assert.ok(performance.now() < deadline, `${what}: ${wrong.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** A line for each that stands and should not, and the other way round. */
function differences(now: Listing, want: Listing): readonly string[] {
  return (["routes", "neighbors", "fdb", "members"] as const).flatMap((kind) => {
    const [stands, wanted] = [new Set(now[kind]), new Set(want[kind])];
    return [
      ...now[kind].filter((line) => !wanted.has(line)).map((line) => `${kind}: there is ${line}`),
      ...want[kind].filter((line) => !stands.has(line)).map((line) => `${kind}: there is no ${line}`),
      ...(now[kind].length > stands.size ? [`${kind}: something is there twice`] : []),
    ];
  });
}

/** A node of which there is nothing but its Node. */
export interface PaperNode {
  readonly name: string;
  /** Of its subnets. */
  readonly number: number;
  readonly kind: FabricKind;
  readonly ips: readonly [Ip, Ip];
  readonly macs: readonly [string, string];
  readonly cluster?: readonly Cidr[];
}

const PREFIX = "flannel.alpha.coreos.com";

/** Its Node, as flannel leaves it. */
export function paperNode(paper: PaperNode): Node {
  const { number, kind, ips, macs } = paper;
  const node = nodeObject(paper, number);
  const data = (mac: string) => (kind === "vxlan" ? `{"VNI":1,"VtepMAC":"${mac}"}` : "null");
  const annotations = {
    [`${PREFIX}/kube-subnet-manager`]: "true",
    [`${PREFIX}/backend-type`]: kind,
    [`${PREFIX}/backend-data`]: data(macs[0]),
    [`${PREFIX}/public-ip`]: ips[0],
    [`${PREFIX}/backend-v6-data`]: data(macs[1]),
    [`${PREFIX}/public-ipv6`]: ips[1],
  };
  return { ...node, metadata: { ...node.metadata, annotations } };
}

/** What leads to such nodes. */
export function listingOf(peers: readonly PaperNode[], members: readonly Ip[]): Listing {
  const rows = peers.flatMap(({ number, kind, ips, macs, cluster }) =>
    subnetsOf(number, FAMILIES, cluster).map((to, i) => {
      const [base = "", ip, mac] = [to.split("/")[0], ips[i] ?? "", macs[i] ?? ""];
      const dev = i === 0 ? "flannel.1" : "flannel-v6.1";
      return { kind, to, base, ip, mac, dev };
    }),
  );
  const tunnels = rows.filter(({ kind }) => kind === "vxlan");
  return {
    routes: rows
      .map(({ kind, to, base, ip, dev }) =>
        kind === "vxlan"
          ? routeLine({ to, via: base, dev, protocol: OURS, isOnlink: true })
          : routeLine({ to, via: ip, dev: "eth0", protocol: OURS, isOnlink: false }),
      )
      .sort(),
    neighbors: tunnels.map(({ base, mac, dev }) => `${base} ${mac} ${dev}`).sort(),
    fdb: tunnels.map(({ ip, mac, dev }) => `${mac} ${ip} ${dev}`).sort(),
    members: [...new Set([...members, ...peers.flatMap(({ ips }) => ips)])].sort(),
  };
}
