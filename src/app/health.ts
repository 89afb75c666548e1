import { once } from "node:events";
import { createServer } from "node:http";
import type { Ip } from "#addr/ip";

/** `/healthz` says that the process runs, `/readyz` that what it is for stands. */
export interface Health extends AsyncDisposable {
  readonly port: number;
  becomeReady(): void;
}

/** Answers from when it resolves. @throws EADDRINUSE and the like */
export async function openHealth(
  { ip, port }: { readonly ip: Ip; readonly port: number },
  signal: AbortSignal,
): Promise<Health> {
  let isReady = false;
  const server = createServer((request, response) => {
    const isFine = request.url === "/healthz" || (request.url === "/readyz" && isReady);
    response.statusCode = isFine ? 200 : request.url === "/readyz" ? 503 : 404;
    response.end(isFine ? "ok" : "");
  });
  server.listen({ host: ip, port, signal });
  await once(server, "listening", { signal });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    becomeReady: () => {
      isReady = true;
    },
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
