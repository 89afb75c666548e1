import { FAMILY } from "#addr/family";
import {
  decodeFlow,
  encodeFlowFilter,
  encodeFlowName,
  IPCTNL_MSG_CT_DELETE,
  IPCTNL_MSG_CT_GET,
} from "#wire/conntrack";
import { NFNL_SUBSYS_CTNETLINK, nfGenMsg, nfType } from "#wire/nfnetlink";
import type { Conntrack } from "./kernel.ts";
import { isRefusal } from "./netlink-error.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink-socket.ts";

/** Connection tracking of the namespace this thread is in now. */
export function openConntrack(): Conntrack {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  return {
    listFlows({ family, protocol, toPort }) {
      return socket.dump(
        {
          op: `list IPv${family} connections`,
          type: nfType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET),
          parts: [nfGenMsg(FAMILY[family].af), ...encodeFlowFilter({ protocol, toPort })],
        },
        (message) => {
          const flow = decodeFlow(message.payload);
          if (flow?.family !== family || flow.protocol !== protocol) return undefined;
          return toPort === undefined || flow.original.destinationPort === toPort ? flow : undefined;
        },
      );
    },
    deleteFlow(flow) {
      try {
        socket.change({
          op: `delete the connection of ${flow.original.source} to ${flow.original.destination}`,
          type: nfType(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE),
          parts: [nfGenMsg(FAMILY[flow.family].af), ...encodeFlowName(flow)],
        });
      } catch (error) {
        if (!isRefusal(error, "ENOENT")) throw error;
      }
    },
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}
