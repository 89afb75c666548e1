import type { IncomingMessage, Server, ServerResponse } from "node:http";

export type HttpHandler = (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly header: (name: string) => string | undefined;
  readonly headers: IncomingMessage["headers"];
  /** `ip:port` of the client, IPv4 in its own form. */
  readonly client: string;
  readonly body: () => Promise<Buffer>;
}

export interface HttpAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** Serves `handler` on `port` of every address of both families until `signal` aborts; resolves once it listens.
 *  @throws the system's error when the port is taken */
export async function serveHttp(
  port: number,
  handler: HttpHandler,
  options: { signal: AbortSignal; tls?: { cert: Buffer; key: Buffer } },
): Promise<Server> {
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response, handler).catch((error: unknown) => {
      response.statusCode = 500;
      response.end(`${String(error)}\n`);
    });
  };
  const server = options.tls
    ? (await import("node:https")).createServer(options.tls, listener)
    : (await import("node:http")).createServer(listener);
  options.signal.addEventListener("abort", () => {
    server.close();
    server.closeIdleConnections();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, resolve);
  });
  return server;
}

export const json = (value: unknown, status = 200): HttpAnswer => ({ status, body: JSON.stringify(value) });

export const plainAddress = (address = "", port = 0): string => {
  const ip = address.replace(/^::ffff:/, "");
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
};

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handler: HttpHandler,
): Promise<void> {
  const {
    status = 200,
    headers = {},
    body = "",
  } = await handler({
    method: request.method ?? "GET",
    url: new URL(request.url ?? "/", "http://agnhost"),
    header: (name) => request.headers[name.toLowerCase()]?.toString(),
    headers: request.headers,
    client: plainAddress(request.socket.remoteAddress, request.socket.remotePort),
    body: async () => Buffer.concat(await Array.fromAsync(request)),
  });
  const type = typeof body === "string" ? { "Content-Type": contentTypeOf(body) } : {};
  response.writeHead(status, { ...type, "Content-Length": Buffer.byteLength(body), ...headers });
  response.end(request.method === "HEAD" ? "" : body);
}

const HTML_START =
  /^\s*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>]/i;

/** What Go's server says of a text that nobody has said anything of. @see the MIME sniffing standard, 7.1 */
function contentTypeOf(text: string): string {
  return `text/${HTML_START.test(text) ? "html" : "plain"}; charset=utf-8`;
}
