import { untilAborted } from "../preamble.ts";
import { serveHttp } from "./http-server.ts";
import type { Subcommand } from "./subcommand.ts";

const HEALTHY_MS = 10_000;

export const liveness: Subcommand = {
  summary: "Is healthy for ten seconds, then reports failure, for testing probes",
  flags: [{ name: "port", kind: "number", fallback: "8080", help: "Port number" }],
  async run({ flags, signal }) {
    const started = Date.now();
    await serveHttp(
      flags.number("port"),
      ({ url }) => {
        const ageMs = Date.now() - started;
        if (url.pathname === "/started") return { body: `${ageMs / 1000}s` };
        if (url.pathname !== "/healthz") return { status: 404 };
        return ageMs > HEALTHY_MS ? { status: 500, body: `error: ${ageMs / 1000}` } : { body: "ok" };
      },
      { signal },
    );
    await untilAborted(signal);
    return 0;
  },
};
