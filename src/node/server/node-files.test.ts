import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { request } from "undici";
import { sendFile } from "./node-files.ts";
import { routeOf } from "./route.ts";

const base = mkdtempSync(join(tmpdir(), "twt-files-"));
const folder = join(base, "log");
const server = createServer((asked, response) => {
  const route = routeOf("GET", (asked.url ?? "").split("?")[0] ?? "");
  const path = route.kind === "files" ? route.path : [".."];
  void sendFile(response, path, folder);
});
let port = 0;

before(async () => {
  mkdirSync(join(folder, "pods"), { recursive: true });
  writeFileSync(join(folder, "syslog"), "all is well\n");
  writeFileSync(join(folder, "empty"), "");
  writeFileSync(join(folder, "<odd>"), "");
  writeFileSync(join(base, "secret"), "not yours");
  mkdirSync(join(base, "logs-of-others"));
  symlinkSync("syslog", join(folder, "within"));
  symlinkSync(join(base, "secret"), join(folder, "outside"));
  symlinkSync(base, join(folder, "above"));
  symlinkSync("/dev/zero", join(folder, "endless"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server.close();
  server.closeAllConnections();
  rmSync(base, { recursive: true });
});

const cases: readonly { path: string; want: number; says?: RegExp }[] = [
  { path: "/logs/syslog", want: 200, says: /^all is well\n$/ },
  { path: "/logs/within", want: 200, says: /^all is well\n$/ },
  { path: "/logs/empty", want: 200, says: /^$/ },
  { path: "/logs/", want: 200, says: /<a href="pods\/">pods\/<\/a>/ },
  { path: "/logs/", want: 200, says: /&lt;odd&gt;/ },
  { path: "/logs/pods", want: 200, says: /<pre>\n<\/pre>/ },
  { path: "/logs/none", want: 404 },
  { path: "/logs/outside", want: 404 },
  { path: "/logs/above", want: 404 },
  { path: "/logs/above/secret", want: 404 },
  { path: "/logs/..%2fsecret", want: 404 },
  { path: "/logs/%2e%2e/secret", want: 404 },
  { path: "/logs/pods/..%2f..%2fsecret", want: 404 },
  { path: "/logs/syslog%00", want: 404 },
  { path: "/logs/endless", want: 404 },
  { path: "/logs/pipe", want: 404 },
];
for (const { path, want, says = /^404 page not found\n$/ } of cases) {
  test(`${path} of the node's log folder is answered with ${want}`, async () => {
    const answer = await request(`http://127.0.0.1:${port}${path}`, { reset: true });
    assert.equal(answer.statusCode, want);
    assert.match(await answer.body.text(), says);
  });
}
