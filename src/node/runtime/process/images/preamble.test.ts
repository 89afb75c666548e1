import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildImages } from "./build.ts";

test("bundles are built once, run alone and end at once on SIGTERM", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "twill-images-"));
  t.after(() => rmSync(folder, { recursive: true }));
  await buildImages(folder);
  const before = readFileSync(join(folder, "agnhost.json"), "utf8");
  await buildImages(folder);
  assert.equal(readFileSync(join(folder, "agnhost.json"), "utf8"), before);

  const cases: readonly [string[], string, number | undefined][] = [
    [["agnhost.mjs", "pause"], "Paused", undefined],
    [["agnhost.mjs", "serve-hostname", "--port=0"], "Serving", undefined],
    [["agnhost.mjs", "connect", "127.0.0.1:1"], "REFUSED", 1],
    [["agnhost.mjs", "etc-hosts"], "localhost", 0],
    [["coredns.mjs", "-version"], "CoreDNS", 0],
  ];
  for (const [[file = "", ...args], word, code] of cases) {
    const child = spawn(process.execPath, [join(folder, file), ...args], {
      cwd: "/",
      env: {},
    });
    const exited = once(child, "exit");
    let said = "";
    for await (const bytes of merged(child.stdout, child.stderr)) {
      said += String(bytes);
      if (said.includes(word)) break;
    }
    assert.ok(said.includes(word), `${file} ${args.join(" ")}: ${said}`);
    if (code === undefined) child.kill("SIGTERM");
    assert.deepEqual(await exited, [code ?? 0, null], `${file} ${args.join(" ")}`);
  }
});

async function* merged(...streams: readonly NodeJS.ReadableStream[]): AsyncGenerator<unknown> {
  const queue: unknown[] = [];
  let open = streams.length;
  let wake = () => {};
  for (const stream of streams) {
    stream.on("data", (bytes) => {
      queue.push(bytes);
      wake();
    });
    stream.on("end", () => {
      open--;
      wake();
    });
  }
  while (open > 0 || queue.length > 0) {
    if (queue.length > 0) yield queue.shift();
    else
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
  }
}
