import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from "#wire/netlink";
import {
  decodePace,
  encodePace,
  encodePaceQuery,
  encodeReceiving,
  encodeRedirection,
  RTM_GETQDISC,
  RTM_NEWQDISC,
  RTM_NEWTFILTER,
} from "#wire/rtnetlink-traffic";
import type { Netlink } from "./kernel.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

type Paces = Pick<Netlink, "paceLink" | "redirectReceived" | "listPaces">;

/** How fast links of the namespace that `socket` lives in send. */
export function pacesOf(socket: NetlinkSocket): Paces {
  return {
    paceLink: (link, pace) =>
      socket.change({
        type: RTM_NEWQDISC,
        flags: NLM_F_CREATE | NLM_F_REPLACE,
        op: `pace link ${link} at ${pace.bytesPerSecond} bytes a second`,
        parts: encodePace({ link, ...pace }),
      }),
    redirectReceived(link, to) {
      const flags = NLM_F_CREATE | NLM_F_EXCL;
      socket.change({
        type: RTM_NEWQDISC,
        flags,
        op: `look at what link ${link} receives`,
        parts: encodeReceiving(link),
      });
      socket.change({
        type: RTM_NEWTFILTER,
        flags,
        op: `redirect what link ${link} receives to link ${to}`,
        parts: encodeRedirection(link, to),
      });
    },
    listPaces: () =>
      socket.dump({ type: RTM_GETQDISC, op: "list paces", parts: encodePaceQuery() }, decodePace),
  };
}
