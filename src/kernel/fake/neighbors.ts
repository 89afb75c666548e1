import { familyOf } from "#addr/ip";
import type { FdbEntry, Neighbor, Netlink } from "../kernel.ts";
import { refusal } from "./faults.ts";
import type { FakeNamespace } from "./namespace.ts";

type Neighbors = Pick<
  Netlink,
  "listNeighbors" | "replaceNeighbor" | "deleteNeighbor" | "listFdb" | "replaceFdb" | "deleteFdb"
>;

export function fakeNeighbors(here: FakeNamespace): Neighbors {
  return {
    listNeighbors: (family) => here.neighbors.filter(({ ip }) => familyOf(ip) === family),
    replaceNeighbor(neighbor) {
      const link = here.link(neighbor.link, `set neighbour ${neighbor.ip}`);
      if (!link.isUp) throw refusal(`set neighbour ${neighbor.ip} on link ${link.index}`, "ENETDOWN");
      const { link: index, ip, mac } = neighbor;
      here.neighbors = [...without(here.neighbors, neighbor), { link: index, ip, mac, isPermanent: true }];
    },
    deleteNeighbor(neighbor) {
      here.neighbors = without(here.neighbors, neighbor);
    },
    listFdb(link) {
      return here.fdb.filter((entry) => entry.link === link);
    },
    replaceFdb(entry) {
      const op = `set forwarding entry ${entry.mac} to ${entry.vtep} on link ${entry.link}`;
      const { vxlan } = here.link(entry.link, op);
      if (!vxlan) throw refusal(op, "EOPNOTSUPP");
      if (familyOf(vxlan.local) !== familyOf(entry.vtep)) throw refusal(op, "EAFNOSUPPORT");
      const { link, mac, vtep } = entry;
      here.fdb = [
        ...here.fdb.filter((standing) => standing.link !== link || standing.mac !== mac),
        { link, mac, vtep },
      ];
    },
    deleteFdb(entry) {
      here.fdb = here.fdb.filter((standing) => !sameFdb(standing, entry));
    },
  };
}

function without(neighbors: readonly Neighbor[], { link, ip }: Pick<Neighbor, "link" | "ip">): Neighbor[] {
  return neighbors.filter((standing) => standing.link !== link || standing.ip !== ip);
}

function sameFdb(a: FdbEntry, b: FdbEntry): boolean {
  return a.link === b.link && a.mac === b.mac && a.vtep === b.vtep;
}
