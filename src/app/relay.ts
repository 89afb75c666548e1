import { connect, createServer, type Server, type Socket } from "node:net";

/** Passes every connection made to the listening descriptor on to `to`, byte for byte, until the signal aborts. */
export function openRelay(fd: number, to: { host: string; port: number }, signal: AbortSignal): Server {
  const server = createServer({ allowHalfOpen: true }, (client) =>
    join(client, connect({ host: to.host, port: to.port, allowHalfOpen: true })),
  );
  server.listen({ fd });
  signal.addEventListener("abort", () => server.close(), { once: true });
  return server;
}

function join(client: Socket, upstream: Socket): void {
  client.pipe(upstream).pipe(client);
  // Either end breaking ends both; there is nobody to tell.
  for (const socket of [client, upstream]) {
    socket.on("error", () => {
      client.destroy();
      upstream.destroy();
    });
  }
}
