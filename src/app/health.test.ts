import assert from "node:assert/strict";
import { test } from "node:test";
import { parseIp } from "#addr/ip";
import { openHealth } from "./health.ts";

test("alive at once, ready when told", async () => {
  const stop = new AbortController();
  await using health = await openHealth({ ip: parseIp("127.0.0.1"), port: 0 }, stop.signal);
  const status = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${health.port}${path}`, {
      headers: { connection: "close" },
    });
    await response.text();
    return response.status;
  };
  assert.deepEqual(await Promise.all(["/healthz", "/readyz", "/"].map(status)), [200, 503, 404]);
  health.becomeReady();
  assert.equal(await status("/readyz"), 200);
});
