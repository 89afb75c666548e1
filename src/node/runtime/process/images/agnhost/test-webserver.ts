import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, normalize } from "node:path";
import { untilAborted } from "../preamble.ts";
import { type HttpAnswer, serveHttp } from "./http-server.ts";
import { leaveRootFiles } from "./root-files.ts";
import type { Subcommand } from "./subcommand.ts";

export const testWebserver: Subcommand = {
  summary: "Serves the files of the container over HTTP",
  flags: [{ name: "port", kind: "number", fallback: "80", help: "Port number" }],
  async run({ flags, signal }) {
    leaveRootFiles();
    await serveHttp(flags.number("port"), ({ url }) => fileAnswer(decodeURIComponent(url.pathname)), {
      signal,
    });
    await untilAborted(signal);
    return 0;
  },
};

function fileAnswer(path: string): HttpAnswer {
  const file = join("/", normalize(path));
  try {
    if (!statSync(file).isDirectory()) return { body: readFileSync(file) };
    return {
      body: `<pre>\n${readdirSync(file).map(linkTo).join("\n")}\n</pre>\n`,
      headers: { "Content-Type": "text/html" },
    };
  } catch {
    return { status: 404, body: "404 page not found\n" };
  }
}

function linkTo(name: string): string {
  const shown = name.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<a href="${encodeURIComponent(name)}">${shown}</a>`;
}
