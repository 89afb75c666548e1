import type { Readable } from "node:stream";
import { openWebSocket } from "./open-websocket.ts";
import type { Upgrade } from "./upgrade.ts";

const NORMAL = 1000;
const BASE64 = "base64.binary.k8s.io";

/** Answers a WebSocket upgrade and sends what `source` says, piece by piece, to its end; what the client says is not listened to. Resolves
 *  when the connection is over, with `source` read or destroyed; never rejects. @see wsstream.Reader of Kubernetes */
export async function serveBytes(upgrade: Upgrade, source: Readable): Promise<void> {
  const open = await openWebSocket(upgrade, ["", "binary.k8s.io", BASE64]);
  if (open === undefined) {
    source.destroy();
    return;
  }
  const { webSocket, protocol } = open;
  const isBase64 = protocol === BASE64;
  const closed = new Promise<void>((resolve) => webSocket.once("close", () => resolve()));
  webSocket.once("close", () => source.destroy());
  // The client wants to know that it is connected before anything is there to be said.
  webSocket.send("", { binary: !isBase64 });
  try {
    for await (const bytes of source as AsyncIterable<Buffer>) {
      const message = isBase64 ? bytes.toString("base64") : bytes;
      await new Promise<void>((resolve) => webSocket.send(message, { binary: !isBase64 }, () => resolve()));
    }
  } catch {
    // It broke off, at this end or at that one: the stream is over.
  }
  webSocket.close(NORMAL);
  await closed;
}
