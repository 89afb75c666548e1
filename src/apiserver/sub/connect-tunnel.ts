import { join } from "#kube/stream/join";
import { openWebSocket } from "#kube/stream/open-websocket";
import { PORT_PROTOCOL } from "#kube/stream/port-spdy";
import { TUNNEL_PROTOCOL } from "#kube/stream/serve-port-forward";
import { PROTOCOL_HEADER, SPDY } from "#kube/stream/upgrade";
import { tunnelOf } from "#kube/stream/websocket-tunnel";
import { passedOn } from "../proxy/passed-on.ts";
import { takeUpgrade } from "../request/upgrade.ts";
import type { Call } from "../verbs/call.ts";
import { askKubelet, type KubeletConnection, passRefusal } from "./connect-relay.ts";

/** A client that speaks SPDY inside a WebSocket: its bytes go to the kubelet without the WebSocket. The client is answered once the kubelet
 *  has agreed. @throws {StatusFault} Unknown when the kubelet is not there */
export async function tunnelPorts(call: Call, connection: KubeletConnection): Promise<void> {
  const { request, response } = call;
  const answer = await askKubelet(call, connection, {
    method: "POST",
    headers: spdyHeaders(call, PORT_PROTOCOL),
  });
  if (answer.kind === "refused") return await passRefusal(call, answer.answer);
  const far = answer.socket;
  const near = takeUpgrade(connection.upgrade, response);
  const open = await openWebSocket({ request, ...near }, [TUNNEL_PROTOCOL]);
  if (open === undefined) {
    far.destroy();
    return;
  }
  const tunnel = tunnelOf(open.webSocket);
  tunnel.write(answer.head);
  await join(tunnel, far, { signal: call.api.signal });
}

/** The client's headers, as if it had asked for SPDY. */
export function spdyHeaders({ request }: Call, protocol: string): Record<string, string | string[]> {
  const passed = Object.entries(passedOn(request.headers, { keepsUpgrade: false }));
  return {
    ...Object.fromEntries(passed.filter(([name]) => !name.startsWith("sec-websocket-"))),
    connection: "Upgrade",
    upgrade: SPDY,
    [PROTOCOL_HEADER]: protocol,
  };
}
