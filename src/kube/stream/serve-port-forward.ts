import type { PortService } from "./carry-port.ts";
import { openWebSocket } from "./open-websocket.ts";
import { CHANNEL_PROTOCOLS, portsOf, servePortChannels } from "./port-channels.ts";
import { PORT_PROTOCOL, serveSpdyPorts } from "./port-spdy.ts";
import { acceptSpdy, isWebSocket, refuseUpgrade, SPDY, type Upgrade, webSocketProtocols } from "./upgrade.ts";
import { tunnelOf } from "./websocket-tunnel.ts";

export type { PortService } from "./carry-port.ts";

/** The subprotocol of a WebSocket in which SPDY is spoken. */
export const TUNNEL_PROTOCOL = `${SPDY}+${PORT_PROTOCOL}`;

/** Answers the upgrade and serves the pod's ports over SPDY, SPDY inside WebSocket, or the old WebSocket channels (their ports
 *  are the query's `port`). Resolves when the connection is over; never rejects. */
export async function servePortForward(upgrade: Upgrade, service: PortService): Promise<void> {
  if (!isWebSocket(upgrade.request)) return await serveOverSpdy(upgrade, service);
  if (webSocketProtocols(upgrade.request).includes(TUNNEL_PROTOCOL)) {
    const open = await openWebSocket(upgrade, [TUNNEL_PROTOCOL]);
    if (open !== undefined)
      await serveSpdyPorts(tunnelOf(open.webSocket), service, { head: Buffer.alloc(0) });
    return;
  }
  const ports = portsOf(new URL(upgrade.request.url ?? "/", "http://kubelet").searchParams);
  await servePortsOverChannels(upgrade, ports, service);
}

/** The old WebSocket channels, for ports known from elsewhere; a sentence instead of ports is the refusal. */
export async function servePortsOverChannels(
  upgrade: Upgrade,
  ports: readonly number[] | string,
  service: PortService,
): Promise<void> {
  if (typeof ports === "string") {
    refuseUpgrade(upgrade, 400, ports);
    return;
  }
  const open = await openWebSocket(upgrade, Object.keys(CHANNEL_PROTOCOLS));
  if (open !== undefined) await servePortChannels(open, ports, service);
}

async function serveOverSpdy(upgrade: Upgrade, service: PortService): Promise<void> {
  if (acceptSpdy(upgrade, [PORT_PROTOCOL]) === undefined) return;
  await serveSpdyPorts(upgrade.socket, service, { head: upgrade.head });
}
