import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { untilAborted } from "../preamble.ts";
import { type HttpHandler, type HttpRequest, serveHttp } from "./http-server.ts";
import { ROUTES, rootAnswer } from "./netexec-routes.ts";
import { serveUdp } from "./sockets.ts";
import { type Subcommand, type SubcommandInput, say } from "./subcommand.ts";

export const netexec: Subcommand = {
  summary: "Serves HTTP(S) and UDP with endpoints for testing networks",
  flags: [
    { name: "http-port", kind: "number", fallback: "8080", help: "HTTP port" },
    { name: "udp-port", kind: "number", fallback: "8081", help: "UDP port; -1 for none" },
    { name: "sctp-port", kind: "number", fallback: "-1", help: "Accepted, never served" },
    { name: "udp-listen-addresses", kind: "text", fallback: "", help: "Addresses for UDP, joined by commas" },
    {
      name: "http-override",
      kind: "text",
      fallback: "",
      help: "Answer every request as if this path were asked",
    },
    { name: "delay-shutdown", kind: "number", fallback: "0", help: "Seconds to go on serving after SIGTERM" },
    { name: "tls-cert-file", kind: "text", fallback: "", help: "Certificate that makes it HTTPS" },
    { name: "tls-private-key-file", kind: "text", fallback: "", help: "Key of the certificate" },
  ],
  async run(input) {
    const { flags, signal } = input;
    // Not the pod's signal: while it delays its end, it serves.
    const serving = new AbortController();
    let isReady = flags.number("udp-port") === -1;
    const tls = tlsFiles(input);
    const options = { signal: serving.signal, ...(tls ? { tls } : {}) };
    await serveHttp(
      flags.number("http-port"),
      handlerFor(flags.text("http-override"), { isReady: () => isReady, ending: signal }),
      options,
    );
    say(`Started HTTP server on port ${flags.number("http-port")}`);
    if (!isReady) await listenUdp(input, serving.signal);
    isReady = true;
    await untilAborted(signal);
    if (flags.number("delay-shutdown") > 0) {
      say(`Delaying shutdown by ${flags.number("delay-shutdown")} seconds`);
      await wait(flags.number("delay-shutdown") * 1000);
    }
    serving.abort();
    return 0;
  },
};

/** `ending`: it has been told to end, and still answers. */
function handlerFor(
  override: string,
  { isReady, ending }: { isReady: () => boolean; ending: AbortSignal },
): HttpHandler {
  return (request) => {
    const asked: HttpRequest =
      override === "" ? request : { ...request, method: "GET", url: new URL(override, request.url) };
    say(`${asked.method} ${asked.url.pathname}${asked.url.search}`);
    if (asked.url.pathname === "/healthz") return { status: isReady() ? 200 : 412 };
    if (asked.url.pathname === "/readyz") {
      if (ending.aborted) return { status: 503, body: "shutting down" };
      return isReady() ? { body: "ok" } : { status: 412 };
    }
    const route = Object.hasOwn(ROUTES, asked.url.pathname) ? ROUTES[asked.url.pathname] : undefined;
    return (route ?? rootAnswer)(asked);
  };
}

async function listenUdp({ flags }: SubcommandInput, signal: AbortSignal): Promise<void> {
  const port = flags.number("udp-port");
  const addresses = [...new Set(flags.text("udp-listen-addresses").split(","))];
  for (const address of addresses) {
    await serveUdp(port, udpReply, { signal, ...(address === "" ? {} : { address }) });
    say(`Started UDP server on port ${address} ${port}`);
  }
}

function udpReply(text: string, client: string): string | undefined {
  const command = text.trim().toLowerCase();
  if (command === "hostname") return hostname();
  if (command === "clientip") return client;
  if (command.startsWith("echo ")) return command.slice("echo ".length);
  if (command !== "") say(`Unknown UDP command received from ${client}: ${command}`);
  return undefined;
}

function tlsFiles({ flags }: SubcommandInput): { cert: Buffer; key: Buffer } | undefined {
  const [cert, key] = [flags.text("tls-cert-file"), flags.text("tls-private-key-file")];
  return cert === "" ? undefined : { cert: readFileSync(cert), key: readFileSync(key) };
}
