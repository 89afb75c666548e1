import { untilAborted } from "../preamble.ts";
import { type HttpHandler, serveHttp } from "./http-server.ts";
import { readRootFile } from "./root-files.ts";
import { serveUdp } from "./sockets.ts";
import { type Subcommand, say } from "./subcommand.ts";

export const porter: Subcommand = {
  summary: "Serves the values of SERVE_{PORT,TCP_PORT,UDP_PORT,TLS_PORT}_<N> on their ports",
  flags: [
    {
      name: "json-response",
      kind: "switch",
      fallback: "false",
      help: "Answer with method and value as JSON",
    },
  ],
  async run({ flags, signal }) {
    for (const [name, value = ""] of Object.entries(process.env)) {
      const match = /^SERVE_(PORT|TCP_PORT|UDP_PORT|TLS_PORT)_(\d{1,5})$/.exec(name);
      if (match === null) continue;
      const port = Number(match[2]);
      if (match[1] === "UDP_PORT") await serveUdp(port, () => value, { signal });
      else
        await serveHttp(port, handlerFor(value, flags.isOn("json-response")), optionsFor(match[1], signal));
      say(`Serving on port ${port}`);
    }
    await untilAborted(signal);
    return 0;
  },
};

function handlerFor(value: string, asJson: boolean): HttpHandler {
  if (!asJson) return () => ({ body: value });
  return ({ method }) => ({
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ Method: method, Body: value }),
  });
}

function optionsFor(kind: string | undefined, signal: AbortSignal): Parameters<typeof serveHttp>[2] {
  if (kind !== "TLS_PORT") return { signal };
  const { CERT_FILE: cert = "localhost.crt", KEY_FILE: key = "localhost.key" } = process.env;
  return { signal, tls: { cert: readRootFile(cert), key: readRootFile(key) } };
}
