import assert from "node:assert/strict";
import { test } from "node:test";
import { routeOf } from "./route.ts";

const of = { namespace: "ns", pod: "web", uid: undefined, container: "main" };
const pod = { namespace: "ns", pod: "web", uid: undefined };
const UNKNOWN = { kind: "unknown" };
const cases: readonly { ask: string; want: unknown }[] = [
  { ask: "GET /exec/ns/web/main", want: { kind: "exec", of } },
  { ask: "POST /exec/ns/web/main", want: { kind: "exec", of } },
  { ask: "POST /exec/ns/web/u-1/main", want: { kind: "exec", of: { ...of, uid: "u-1" } } },
  { ask: "GET /attach/ns/web/main", want: { kind: "attach", of } },
  { ask: "POST /attach/ns/web/u-1/main", want: { kind: "attach", of: { ...of, uid: "u-1" } } },
  { ask: "DELETE /exec/ns/web/main", want: { kind: "wrong-method", allowed: ["GET", "POST"] } },
  { ask: "GET /portForward/ns/web", want: { kind: "ports", of: pod } },
  { ask: "POST /portForward/ns/web/u-1", want: { kind: "ports", of: { ...pod, uid: "u-1" } } },
  { ask: "PUT /portForward/ns/web", want: { kind: "wrong-method", allowed: ["GET", "POST"] } },
  { ask: "POST /run/ns/web/main", want: { kind: "run", of } },
  { ask: "POST /run/ns/web/u-1/main", want: { kind: "run", of: { ...of, uid: "u-1" } } },
  { ask: "GET /run/ns/web/main", want: { kind: "wrong-method", allowed: ["POST"] } },
  { ask: "GET /containerLogs/ns/web/main", want: { kind: "logs", of } },
  { ask: "POST /containerLogs/ns/web/main", want: { kind: "wrong-method", allowed: ["GET"] } },
  { ask: "GET /containerLogs/ns/web/u-1/main", want: UNKNOWN },
  { ask: "GET /containerLogs/ns/web", want: UNKNOWN },
  { ask: "GET /exec/ns/web", want: UNKNOWN },
  { ask: "GET /exec/ns//main", want: UNKNOWN },
  { ask: "GET /exec/ns/web//main", want: UNKNOWN },
  { ask: "GET /exec/ns/web/u/main/more", want: UNKNOWN },
  { ask: "GET /exec/ns/web/main%", want: UNKNOWN },
  { ask: "GET /exec/n%73/web/main", want: { kind: "exec", of } },
  { ask: "GET /healthz", want: { kind: "page", page: "healthz" } },
  { ask: "GET /pods", want: { kind: "page", page: "pods" } },
  { ask: "GET /pods/", want: { kind: "page", page: "pods" } },
  { ask: "GET /runningpods/", want: { kind: "page", page: "running-pods" } },
  { ask: "GET /configz", want: { kind: "page", page: "configz" } },
  { ask: "GET /stats/summary", want: { kind: "page", page: "stats-summary" } },
  { ask: "GET /metrics", want: { kind: "page", page: "metrics" } },
  { ask: "GET /metrics/resource", want: { kind: "page", page: "metrics-resource" } },
  { ask: "GET /metrics/probes", want: { kind: "page", page: "metrics-probes" } },
  { ask: "GET /metrics/cadvisor", want: { kind: "page", page: "metrics-cadvisor" } },
  { ask: "POST /pods", want: { kind: "wrong-method", allowed: ["GET", "HEAD"] } },
  { ask: "GET /logs/", want: { kind: "files", path: [""] } },
  { ask: "GET /logs/a/b", want: { kind: "files", path: ["a", "b"] } },
  { ask: "GET /logs/..%2fetc", want: { kind: "files", path: ["../etc"] } },
  { ask: "GET /", want: UNKNOWN },
  { ask: "GET /debug/pprof/", want: UNKNOWN },
  { ask: "POST /checkpoint/ns/web/main", want: UNKNOWN },
];
for (const { ask, want } of cases) {
  test(`${ask} is ${JSON.stringify(want)}`, () => {
    const [method = "", path = ""] = ask.split(" ");
    assert.deepEqual(routeOf(method, path), want);
  });
}

test("no path breaks the routes", () => {
  let seed = 11;
  const random = (below: number) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed % below;
  };
  const words = [
    "exec",
    "attach",
    "portForward",
    "run",
    "containerLogs",
    "logs",
    "..",
    "",
    "%2f",
    "%",
    "ü",
    "a",
  ];
  for (let round = 0; round < 2000; round++) {
    const path = Array.from({ length: random(7) }, () => words[random(words.length)]).join("/");
    const route = routeOf(["GET", "POST", "PUT"][random(3)] ?? "", `/${path}`);
    if ("of" in route) assert.ok(route.of.namespace && route.of.pod, path);
  }
});
