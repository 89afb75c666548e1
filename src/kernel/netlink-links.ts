import { NLM_F_CREATE, NLM_F_EXCL } from "#wire/netlink";
import {
  decodeLink,
  encodeBridgePort,
  encodeLink,
  encodeLinkQuery,
  type LinkInfo,
  RTM_DELLINK,
  RTM_GETLINK,
  RTM_NEWLINK,
  RTM_SETLINK,
} from "#wire/rtnetlink-link";
import { CLAIMS } from "./claims.ts";
import type { Link, LinkChange, LinkSpec, Netlink } from "./kernel.ts";
import { tolerating } from "./netlink-error.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

type Links = Pick<
  Netlink,
  "listLinks" | "findLink" | "addLink" | "changeLink" | "deleteLink" | "deleteLinks"
>;

/** The links of the namespace that `socket` lives in. */
export function linksOf(socket: NetlinkSocket): Links {
  const get = (name: string): Link =>
    decodeLink(socket.get({ type: RTM_GETLINK, op: `find link ${name}`, parts: encodeLinkQuery({ name }) }));
  return {
    listLinks: () =>
      socket.dump({ type: RTM_GETLINK, op: "list links", parts: encodeLinkQuery() }, decodeLink),
    findLink: (name) => tolerating(["ENODEV"], () => get(name)),
    addLink(spec) {
      socket.change({
        type: RTM_NEWLINK,
        flags: NLM_F_CREATE | NLM_F_EXCL,
        op: `add ${spec.kind} link ${spec.name}`,
        parts: encodeLink({ ...spec, queues: queuesOf(spec), info: infoOf(spec) }),
      });
      return get(spec.name);
    },
    changeLink: (index, change) => changeLink(socket, index, change),
    deleteLink: (index) =>
      tolerating(["ENODEV"], () =>
        socket.change({ type: RTM_DELLINK, op: `delete link ${index}`, parts: encodeLink({ index }) }),
      ),
    deleteLinks: (indexes) => deleteLinks(socket, indexes),
  };
}

/** One by one they go into a group, and the group goes. */
function deleteLinks(socket: NetlinkSocket, indexes: readonly number[]): void {
  const group = CLAIMS.dyingLinks;
  for (const index of indexes)
    tolerating(["ENODEV"], () =>
      socket.change({
        type: RTM_SETLINK,
        op: `prepare to delete link ${index}`,
        parts: encodeLink({ index, group }),
      }),
    );
  if (indexes.length > 0)
    tolerating(["ENODEV"], () =>
      socket.change({
        type: RTM_DELLINK,
        op: `delete links ${indexes.join(", ")}`,
        parts: encodeLink({ group }),
      }),
    );
}

/** What is a kind's own are requests of their own; a bridge port's hairpin needs its membership. */
function changeLink(socket: NetlinkSocket, index: number, change: LinkChange): void {
  const { hairpin, netns, vxlan, ...rest } = change;
  // First, for a smaller underlay makes the kernel refuse the MTU. Only "new" takes what is a kind's own, also of a standing link.
  if (vxlan !== undefined)
    socket.change({
      type: RTM_NEWLINK,
      op: `change vxlan link ${index} (${Object.keys(vxlan).join(", ")})`,
      parts: encodeLink({ index, info: { kind: "vxlan", vxlan } }),
    });
  if (netns !== undefined || Object.keys(rest).length > 0)
    socket.change({
      type: RTM_SETLINK,
      op: `change link ${index} (${Object.keys(change).join(", ")})`,
      parts: encodeLink({ ...rest, index, netnsFd: netns?.fd }),
    });
  if (hairpin !== undefined)
    socket.change({
      type: RTM_SETLINK,
      op: `change bridge port ${index} (hairpin)`,
      parts: encodeBridgePort(index, { hairpin }),
    });
}

/** A veth has one queue in use whatever it is made with. Asked for no number the kernel allocates one per processor and takes
 *  all but one back, which waits for every processor: half of the time that making a veth takes. */
const VETH_QUEUES = 1;

function queuesOf({ kind }: LinkSpec): number | undefined {
  return kind === "veth" || kind === "ifb" ? VETH_QUEUES : undefined;
}

function infoOf(spec: LinkSpec): LinkInfo {
  switch (spec.kind) {
    case "bridge":
    case "ifb":
    case "wireguard":
      return { kind: spec.kind };
    case "vxlan":
      return { kind: "vxlan", vxlan: spec.vxlan };
    case "veth": {
      const { netns, ...peer } = spec.peer;
      return { kind: "veth", peer: { ...peer, queues: VETH_QUEUES, netnsFd: netns?.fd } };
    }
    default:
      return spec satisfies never;
  }
}
