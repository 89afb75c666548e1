import type { Dirent } from "node:fs";
import { readdir, readFile, readlink } from "node:fs/promises";
import { FAMILIES } from "#addr/family";
import { decodeSocket, encodeSocketQuery, SOCK_DIAG_BY_FAMILY } from "#wire/sock-diag";
import { isRefusal } from "./netlink-error.ts";
import { NETLINK_SOCK_DIAG, NetlinkSocket } from "./netlink-socket.ts";
import type { SocketHolder, Sockets, WaitingSocket } from "./waiting-socket.ts";

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
/** Descriptors looked at in one search: more than a busy machine has, and a second's work. */
const MOST_LOOKED_AT = 200_000;

/** Sockets of the namespace this thread is in now. */
export function openSockets(): Sockets {
  const socket = new NetlinkSocket(NETLINK_SOCK_DIAG);
  const list = (protocol: WaitingSocket["protocol"]) =>
    FAMILIES.flatMap((family) =>
      socket.dump(
        {
          op: `list IPv${family} sockets of ${protocol}`,
          type: SOCK_DIAG_BY_FAMILY,
          parts: [encodeSocketQuery(family, PROTOCOLS[protocol])],
        },
        ({ payload }): WaitingSocket | undefined => {
          const found = decodeSocket(payload);
          return found && { protocol, ...found };
        },
      ),
    );
  return {
    listWaiting: () => [...list("tcp"), ...list("udp"), ...unlessUnknown(() => list("sctp"))],
    findHolders,
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

/** A kernel without SCTP, or without its part of sock_diag, has none. */
function unlessUnknown<T>(list: () => readonly T[]): readonly T[] {
  try {
    return list();
  } catch (error) {
    if (isRefusal(error, "ENOENT") || isRefusal(error, "EINVAL")) return [];
    throw error;
  }
}

/** Looks through `/proc` until all are found. What may not be read, or has ended meanwhile, is passed by. */
async function findHolders(inodes: ReadonlySet<number>): Promise<ReadonlyMap<number, SocketHolder>> {
  const found = new Map<number, SocketHolder>();
  let looked = 0;
  if (inodes.size === 0) return found;
  for (const { name } of await entries("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    for (const fd of await entries(`/proc/${name}/fd`)) {
      if (found.size === inodes.size || ++looked > MOST_LOOKED_AT) return found;
      const inode = await socketInode(`/proc/${name}/fd/${fd.name}`);
      if (inode === undefined || !inodes.has(inode) || found.has(inode)) continue;
      const comm = await readFile(`/proc/${name}/comm`, "utf8").catch(() => "");
      found.set(inode, { pid: Number(name), name: comm.trim() });
    }
  }
  return found;
}

async function entries(path: string): Promise<readonly Dirent[]> {
  return await readdir(path, { withFileTypes: true }).catch(() => []);
}

async function socketInode(path: string): Promise<number | undefined> {
  const link = await readlink(path).catch(() => "");
  const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
  return inode === undefined ? undefined : Number(inode);
}
