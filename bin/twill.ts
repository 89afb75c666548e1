#!/usr/bin/env node
import { fileURLToPath } from "node:url";
import { main } from "#app/main";

const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stop.abort(new Error(name)));

const code = await main(process.argv.slice(2), {
  env: process.env,
  write: (text) => process.stdout.write(text),
  writeError: (text) => process.stderr.write(text),
  program: { root: fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, ""), node: process.execPath },
  signal: stop.signal,
});
process.exit(code);
