import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { Duplex } from "node:stream";
import { askCommand, type RemoteCommand } from "../ask-command.ts";
import { askUpgrade } from "../ask-upgrade.ts";
import type { CommandWants } from "../command-session.ts";
import { SpdyConnection } from "../spdy-connection.ts";
import { IDLE_MS, type Upgrade } from "../upgrade.ts";

/** A server on the loopback that does nothing but upgrades. */
export interface UpgradeServer extends AsyncDisposable {
  readonly port: number;
  /** How many connections are open. */
  connections(): Promise<number>;
  /** Resolves when no handler is at work. */
  readonly idle: () => Promise<void>;
}

export async function openUpgradeServer(handle: (upgrade: Upgrade) => Promise<void>): Promise<UpgradeServer> {
  const server = createServer((_request, response) => response.writeHead(400).end());
  const sockets = new Set<Duplex>();
  const running = new Set<Promise<void>>();
  server.on("upgrade", (request, socket, head) => {
    sockets.add(socket);
    const run = handle({ request, socket, head }).finally(() => running.delete(run));
    running.add(run);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => new Promise((resolve) => server.getConnections((_error, count) => resolve(count))),
    idle: async () => {
      await Promise.all(running);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(running);
    },
  };
}

export interface SpdyClient {
  readonly connection: SpdyConnection;
  readonly protocol: string;
}

/** Upgrades to SPDY as Kubernetes' clients do. */
export async function openSpdyClient(
  port: number,
  { protocols, path = "/" }: { readonly protocols: readonly string[]; readonly path?: string },
): Promise<SpdyClient> {
  const answer = await askUpgrade(connect({ host: "127.0.0.1", port }), {
    method: "POST",
    path,
    headers: {
      Host: "test",
      Connection: "Upgrade",
      Upgrade: "SPDY/3.1",
      "X-Stream-Protocol-Version": [...protocols],
    },
    signal: new AbortController().signal,
  });
  if (answer.kind === "refused") throw new Error(`refused: ${answer.answer.statusCode}`);
  const { socket, head } = answer;
  const connection = new SpdyConnection(socket, { side: "client", head, idleMs: IDLE_MS });
  return { connection, protocol: String(answer.answer.headers["x-stream-protocol-version"]) };
}

/** Starts a remote command over SPDY. */
export async function startCommand(
  port: number,
  wants: CommandWants,
): Promise<RemoteCommand & { readonly connection: SpdyConnection }> {
  const { connection } = await openSpdyClient(port, { protocols: ["v4.channel.k8s.io"] });
  return { connection, ...(await askCommand(connection, wants)) };
}
