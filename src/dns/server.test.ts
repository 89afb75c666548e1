import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { silentLog } from "#telemetry/log";
import { decodeMessage } from "#wire/dns/message";
import { UdpDialer } from "./dial.ts";
import { encodeQuestion } from "./encode-question.ts";
import { openServer } from "./server.ts";

const corefile = (ip: string, more = "") =>
  `.:0 {\n hosts /nonexistent {\n ${ip} a.example\n }\n ${more}\n}\n`;

test("a changed Corefile is taken over on the same port; a bad one is refused and counted", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "twill-dns-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "Corefile");
  writeFileSync(file, corefile("10.0.0.1"));
  await using server = await openServer({
    file,
    defaultPort: 53,
    env: {},
    log: silentLog,
    openKube: () => Promise.reject(new Error("not here")),
    fatal: assert.fail,
  });
  const [port = 0] = server.ports;
  assert.equal(await lookup(port), "0a000001");
  writeFileSync(file, corefile("10.0.0.2"));
  await server.checkCorefile();
  assert.deepEqual(server.ports, [port]);
  assert.equal(await lookup(port), "0a000002");
  writeFileSync(file, corefile("10.0.0.3", "nonsense"));
  await server.checkCorefile();
  assert.equal(await lookup(port), "0a000002");
});

async function lookup(port: number): Promise<string> {
  using dialer = new UdpDialer({ address: "127.0.0.1", port });
  const message = encodeQuestion("a.example.", 1, { id: 0, flags: 0 });
  const reply = decodeMessage(
    await dialer.exchange(message, message.length, { timeoutMs: 5000, random: Math.random }),
  );
  return Buffer.from(reply.answers[0]?.data ?? []).toString("hex");
}
