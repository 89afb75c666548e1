import { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { bytesOf } from "./open-websocket.ts";

const NORMAL = 1000;
const READ_AHEAD_BYTES = 256 * 1024;
const WRITE_AHEAD_BYTES = 64 * 1024;

/** The bytes inside a WebSocket's messages, as a stream: what another protocol is spoken over. Ending it closes the WebSocket. */
export function tunnelOf(webSocket: WebSocket): Duplex {
  const tunnel: Duplex = new Duplex({
    readableHighWaterMark: READ_AHEAD_BYTES,
    writableHighWaterMark: WRITE_AHEAD_BYTES,
    read: () => {
      if (webSocket.isPaused) webSocket.resume();
    },
    // An error is that the client is gone, which is told by its closing.
    write: (bytes: Buffer, _encoding, done) => webSocket.send(bytes, { binary: true }, () => done()),
    final: (done) => {
      webSocket.close(NORMAL);
      done();
    },
    destroy: (error, done) => {
      webSocket.terminate();
      done(error);
    },
  });
  webSocket.on("message", (data) => {
    const bytes = bytesOf(data);
    if (bytes.length === 0 || tunnel.destroyed) return;
    if (!tunnel.push(bytes) && webSocket.readyState === webSocket.OPEN) webSocket.pause();
  });
  webSocket.once("close", () => {
    tunnel.once("end", () => tunnel.destroy());
    if (!tunnel.destroyed) tunnel.push(null);
  });
  return tunnel;
}
