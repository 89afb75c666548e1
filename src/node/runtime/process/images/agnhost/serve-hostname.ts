import { hostname } from "node:os";
import { Fault } from "#fault/fault";
import { untilAborted } from "../preamble.ts";
import { serveHttp } from "./http-server.ts";
import { serveTcp, serveUdp } from "./sockets.ts";
import { type Subcommand, say } from "./subcommand.ts";

export const serveHostname: Subcommand = {
  summary: "Serves the hostname through HTTP, TCP or UDP",
  flags: [
    { name: "tcp", kind: "switch", fallback: "false", help: "Serve raw over TCP" },
    { name: "udp", kind: "switch", fallback: "false", help: "Serve raw over UDP" },
    { name: "http", kind: "switch", fallback: "true", help: "Serve HTTP" },
    {
      name: "close",
      kind: "switch",
      fallback: "false",
      help: "Close the connection after each HTTP request",
    },
    { name: "port", kind: "number", fallback: "9376", help: "Port number" },
  ],
  async run({ flags, signal }) {
    const [tcp, udp, http] = ["tcp", "udp", "http"].map((name) => flags.isOn(name));
    const port = flags.number("port");
    if (http && (tcp || udp))
      throw new Fault("Usage", "--http cannot be on together with --tcp or --udp; add --http=false");
    const closing: Record<string, string> = flags.isOn("close") ? { Connection: "close" } : {};
    if (tcp) await serveTcp(port, () => hostname(), { signal });
    if (udp) await serveUdp(port, () => hostname(), { signal });
    if (http) await serveHttp(port, () => ({ headers: closing, body: hostname() }), { signal });
    say(`Serving on port ${port}.`);
    await untilAborted(signal);
    return 0;
  },
};
