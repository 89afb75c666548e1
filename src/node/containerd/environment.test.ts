import assert from "node:assert/strict";
import { test } from "node:test";
import { environmentFor, logLevelOf } from "./environment.ts";

test("containerd is given paths and proxies, its own variables without their prefix, and no secrets", () => {
  const env = {
    PATH: "/bin",
    K3S_TOKEN: "secret",
    NOTIFY_SOCKET: "/run/n",
    http_proxy: "http://p",
    CONTAINERD_HTTPS_PROXY: "http://q",
    HTTPS_PROXY: "http://agent",
    CONTAINERD_LOG_LEVEL: "debug",
    GONE: undefined,
  };
  assert.deepEqual(environmentFor(env), { PATH: "/bin", http_proxy: "http://p", HTTPS_PROXY: "http://q" });
  assert.equal(logLevelOf(env), "debug");
  assert.equal(logLevelOf({}), "info");
});
