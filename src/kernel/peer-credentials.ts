import type { Socket } from "node:net";
import { getsockopt, SOL_SOCKET } from "./ffi/libc.ts";

const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid. */
const WORDS = 3;

/** Who was at the other end of a unix socket when it connected. Ids are as this process's namespaces see them: pid 0 is a
 *  process that they do not. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
}

/** Nothing where the socket is closed already. @see unix(7), SO_PEERCRED */
export function peerCredentials(socket: Socket): PeerCredentials | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  const credentials = new Int32Array(WORDS);
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, new Uint8Array(credentials.buffer));
  const [pid = 0, uid = -1] = credentials;
  return { pid, uid };
}

/** Node keeps a socket's descriptor where only its own code looks. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}
