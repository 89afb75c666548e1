import { connect, Socket } from "node:net";
import { explain, Fault } from "#fault/fault";
import { openUnconnectedSocket } from "#kernel/unconnected-socket";

/** IPv4 before IPv6, as `localhost` is resolved by the container runtimes. */
const LOOPBACK = [
  { family: 4, host: "127.0.0.1", name: "IPv4" },
  { family: 6, host: "::1", name: "IPv6" },
] as const;
type Loopback = (typeof LOOPBACK)[number];

/** Connects to a port on the loopback of a pod: of its network namespace, or of this machine without one.
 *  @throws {Fault} "DialFailed" with what each family said */
export async function dialPod(
  netns: string | undefined,
  port: number,
  { signal }: { signal: AbortSignal },
): Promise<Socket> {
  const refusals: string[] = [];
  for (const loopback of LOOPBACK) {
    try {
      return await dial({ netns, port, loopback }, signal);
    } catch (error) {
      signal.throwIfAborted();
      refusals.push(`${loopback.name}: ${explain(error)}`);
    }
  }
  const where = netns === undefined ? "" : ` inside namespace "${netns}"`;
  throw new Fault("DialFailed", `failed to connect to localhost:${port}${where}, ${refusals.join("; ")}`);
}

function dial(
  { netns, port, loopback }: { netns: string | undefined; port: number; loopback: Loopback },
  signal: AbortSignal,
): Promise<Socket> {
  const { host, family } = loopback;
  const where = { host, port };
  const options = { allowHalfOpen: true, signal };
  const socket =
    netns === undefined
      ? connect({ ...where, ...options })
      : new Socket({ ...options, fd: openUnconnectedSocket(netns, family).disown() }).connect(where);
  return new Promise((resolve, reject) => {
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket.setNoDelay(true));
    });
    socket.once("error", reject);
  });
}
