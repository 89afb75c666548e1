import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type { Container, Probe } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import { runProbe } from "./probe-loop.ts";
import { afterOutcome, INITIAL, type ProbeKind, type ProbeOutcome } from "./probe-state.ts";
import { portOf, tryProbe } from "./try-probe.ts";

describe("a probe's verdict", () => {
  const cases: readonly [ProbeKind, string, Partial<Probe>, string][] = [
    ["readiness", "s", {}, "success"],
    ["readiness", "sff", {}, "success"],
    ["readiness", "sfff", {}, "failure"],
    ["readiness", "sffsff", {}, "success"],
    ["readiness", "ss", { successThreshold: 3 }, "failure"],
    ["readiness", "sss", { successThreshold: 3 }, "success"],
    ["readiness", "sfuff", {}, "failure"],
    ["liveness", "ff", {}, "success"],
    ["liveness", "fff", {}, "failure"],
    ["liveness", "f", { failureThreshold: 1 }, "failure"],
    ["startup", "", {}, "undecided"],
    ["startup", "ff", {}, "undecided"],
    ["startup", "ffs", {}, "success"],
  ];
  const outcome: Readonly<Record<string, ProbeOutcome>> = { s: "success", f: "failure", u: "unknown" };
  for (const [kind, course, probe, want] of cases)
    test(`${kind} after ${course || "nothing"} ${JSON.stringify(probe)} is ${want}`, () => {
      let state = INITIAL[kind];
      for (const letter of course) state = afterOutcome(state, outcome[letter] ?? "unknown", probe);
      assert.equal(state.verdict, want);
    });
});

/** Runs a probe against a course of outcomes on a clock that jumps; tells when what was believed. */
async function course(
  kind: ProbeKind,
  probe: Probe,
  outcomeAt: (ms: number) => ProbeOutcome,
  untilMs: number,
) {
  let now = 0;
  const stop = new AbortController();
  const seen: string[] = [];
  const clock: Clock = {
    now: () => now,
    async sleep(ms, { signal }) {
      now += ms;
      if (now > untilMs) stop.abort();
      signal.throwIfAborted();
    },
  };
  await runProbe({
    kind,
    probe,
    startedAt: 0,
    attempt: async () => ({ outcome: outcomeAt(now), output: "" }),
    onVerdict: (verdict) => seen.push(`${verdict} at ${Math.round(now)}`),
    onNews: (what) => what === "failure" && seen.push(`failed at ${Math.round(now)}`),
    clock,
    signal: stop.signal,
  }).catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
  return seen;
}

describe("the course of a probe", () => {
  const from = (ms: number) => (now: number) => (now >= ms ? "success" : "failure") as ProbeOutcome;

  test("readiness is noticed within a tenth of a second of a quick start", async () => {
    const [verdict, ...rest] = await course("readiness", {}, from(250), 9_000);
    const at = Number(verdict?.replace("success at ", ""));
    assert.ok(at >= 250 && at < 350, verdict);
    assert.deepEqual(rest, []);
  });
  test("one that stays unready is told once a period", async () => {
    const seen = await course("readiness", {}, () => "failure", 35_000);
    const times = seen.map((line) => Number(/\d+/.exec(line)?.[0]));
    assert.deepEqual(
      [seen.length, times.every((at, i) => i === 0 || at - (times[i - 1] ?? 0) >= 9_900)],
      [3, true],
    );
  });
  test("the initial delay is waited for", async () => {
    const seen = await course("readiness", { initialDelaySeconds: 5 }, from(0), 6_000);
    assert.deepEqual(seen, ["success at 5000"]);
  });
  test("liveness counts every period and ends with its failure", async () => {
    const seen = await course("liveness", { periodSeconds: 1 }, () => "failure", 60_000);
    assert.deepEqual(seen, ["failed at 1000", "failed at 2000", "failed at 3000", "failure at 3000"]);
  });
  test("startup has failureThreshold periods, whatever is asked in between", async () => {
    const probe = { periodSeconds: 1, failureThreshold: 3 };
    const seen = await course("startup", probe, () => "failure", 60_000);
    const at = Number(/\d+/.exec(seen.at(-1) ?? "")?.[0]);
    assert.ok(at >= 3_000 && at < 3_500, seen.join());
    assert.deepEqual(
      await course("startup", probe, from(2_900), 60_000).then((lines) => lines.at(-1)?.slice(0, 7)),
      "success",
    );
  });
});

describe("tries", () => {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://x");
    if (url.pathname === "/slow") return;
    const status = Number(url.searchParams.get("status") ?? 200);
    const location = url.searchParams.get("to");
    response.writeHead(status, location ? { location } : {});
    response.end(JSON.stringify(request.headers));
  });
  let port = 0;
  before(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const container = (): Container => ({ name: "c", ports: [{ name: "web", containerPort: port }] });
  const attempt = (probe: Probe) =>
    tryProbe(
      probe,
      {
        container: container(),
        ip: "127.0.0.1",
        exec: async (command) => {
          if (command[0] === "none") throw new Error("no such file");
          return { code: Number(command[1]), output: "said", errors: "", isTimedOut: command[0] === "hang" };
        },
      },
      { signal: new AbortController().signal },
    );
  const cases: readonly { name: string; probe: () => Probe; want: ProbeOutcome; output?: RegExp }[] = [
    {
      name: "200",
      probe: () => ({ httpGet: { path: "/", port } }),
      want: "success",
      output: /"user-agent":"kube-probe/,
    },
    { name: "a named port", probe: () => ({ httpGet: { port: "web" } }), want: "success" },
    {
      name: "500",
      probe: () => ({ httpGet: { path: "/?status=500", port } }),
      want: "failure",
      output: /^HTTP probe failed with statuscode: 500$/,
    },
    {
      name: "a redirect here",
      probe: () => ({ httpGet: { path: "/?status=302&to=/?status=404", port } }),
      want: "failure",
    },
    {
      name: "a redirect away",
      probe: () => ({ httpGet: { path: "/?status=302&to=http://elsewhere.invalid/", port } }),
      want: "success",
      output: /^Probe terminated redirects/,
    },
    {
      name: "headers",
      probe: () => ({
        httpGet: {
          port,
          httpHeaders: [
            { name: "Host", value: "h" },
            { name: "accept", value: "" },
          ],
        },
      }),
      want: "success",
      output: /^(?!.*accept).*"host":"h"/,
    },
    {
      name: "silence",
      probe: () => ({ timeoutSeconds: 0.05, httpGet: { path: "/slow", port } }),
      want: "failure",
      output: /timed out|context deadline exceeded/,
    },
    {
      name: "no such port name",
      probe: () => ({ httpGet: { port: "none" } }),
      want: "unknown",
      output: /^strconv\.Atoi: parsing "none": invalid syntax$/,
    },
    {
      name: "nobody listening",
      probe: () => ({ httpGet: { port: 1 } }),
      want: "failure",
      output: /connection refused/,
    },
    { name: "an open socket", probe: () => ({ tcpSocket: { port } }), want: "success" },
    { name: "a closed socket", probe: () => ({ tcpSocket: { port: 1 } }), want: "failure" },
    { name: "exit 0", probe: () => ({ exec: { command: ["x", "0"] } }), want: "success" },
    { name: "exit 1", probe: () => ({ exec: { command: ["x", "1"] } }), want: "failure", output: /^said$/ },
    {
      name: "a hanging command",
      probe: () => ({ exec: { command: ["hang", "0"] } }),
      want: "failure",
      output: /timed out after 1s/,
    },
    { name: "a command that is not there", probe: () => ({ exec: { command: ["none"] } }), want: "unknown" },
  ];
  for (const { name, probe, want, output } of cases)
    test(`${name}: ${want}`, async () => {
      const found = await attempt(probe());
      assert.equal(found.outcome, want, found.output);
      if (output) assert.match(found.output, output);
    });

  test("ports go by number, text and name", () => {
    assert.deepEqual(
      [portOf(80, container()), portOf("80", container()), portOf("web", container())],
      [80, 80, port],
    );
  });
});
