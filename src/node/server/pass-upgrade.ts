import { connect, type Socket } from "node:net";
import { asError } from "#fault/fault";
import { join } from "#kube/stream/join";
import type { Upgrade } from "#kube/stream/upgrade";
import { refuseUpgrade } from "./reply.ts";

/** Headers that speak of the client and this server, not of the client and the one behind it. */
const OWN_HEADERS = new Set(["host", "authorization"]);
const DIAL_MS = 10_000;

/** Passes a client's upgrade byte for byte to a runtime's streaming server, and all that both then say; that server's status and
 *  headers are the client's answer. Resolves when the connection is over. @see proxyStream in pkg/kubelet/server/server.go */
export async function passUpgrade(
  { request, socket, head }: Upgrade,
  { url, signal, idleMs }: { url: string; signal: AbortSignal; idleMs: number },
): Promise<void> {
  const target = new URL(url);
  const backend = await dial(target, signal).catch(asError);
  if (backend instanceof Error) {
    refuseUpgrade(socket, { status: 500, message: `error dialing backend: ${backend.message}` });
    return;
  }
  const stop = () => {
    backend.destroy();
    socket.destroy();
  };
  backend.setTimeout(idleMs, stop);
  backend.write(`${requestHead(request, target)}\r\n`);
  if (head.length > 0) backend.write(head);
  await join(socket, backend, { signal });
}

function dial(target: URL, signal: AbortSignal): Promise<Socket> {
  const host = target.hostname.replace(/^\[|\]$/g, "");
  const backend = connect({ host, port: Number(target.port || 80), signal, noDelay: true });
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => backend.destroy(new Error("i/o timeout")), DIAL_MS);
    backend.once("connect", () => {
      clearTimeout(late);
      backend.off("error", reject);
      backend.on("error", () => {}); // An end like any other.
      resolve(backend);
    });
    backend.once("error", reject);
    backend.once("error", () => clearTimeout(late));
  });
}

function requestHead(request: Upgrade["request"], target: URL): string {
  const { rawHeaders, method } = request;
  const lines = [`${method} ${target.pathname}${target.search} HTTP/1.1`, `Host: ${target.host}`];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (!OWN_HEADERS.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[i + 1]}`);
  }
  return lines.map((line) => `${line}\r\n`).join("");
}
