#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { main } from "#app/main";

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error(name)));

// From the sources, or from the bundle that a lab's nodes run.
const root = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? ".." : "../..", import.meta.url),
).replace(/\/$/, "");
const code = await main(process.argv.slice(2), {
  env: process.env,
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  program: { root, node: process.execPath },
  signal: stop.signal,
});
process.exit(code);
