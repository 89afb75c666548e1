import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { parseIp } from "#addr/ip";
import { openLog, silentLog } from "#telemetry/log";
import { askRouting } from "./ask.ts";
import type { Answer, ListAnswer, Question } from "./model.ts";
import { readQuestion, serveRouting } from "./serve.ts";

const LIST: ListAnswer = {
  kind: "list",
  node: "a",
  at: "2026-01-01T00:00:00.000Z",
  waitingFor: [],
  rounds: { total: 1, failed: 0, lastAt: null, lastSeconds: null, lastFaults: [] },
  services: [],
  serviceCount: 0,
  problems: [],
  problemCount: 0,
};
const signal = new AbortController().signal;

async function serving(
  t: TestContext,
  answer: (question: Question) => Answer,
  log = silentLog,
): Promise<string> {
  const socketPath = join(mkdtempSync(join(tmpdir(), "twill-services-")), "run", "service.sock");
  t.after(() => rmSync(join(socketPath, "../.."), { recursive: true }));
  const stop = new AbortController();
  const served = serveRouting({ socketPath, answer, log, signal: stop.signal });
  t.after(async () => {
    stop.abort();
    await served;
    assert.equal(existsSync(socketPath), false, "it goes at the end");
  });
  while (!existsSync(socketPath) || (statSync(socketPath).mode & 0o777) !== 0o600) await turn();
  return socketPath;
}

test("each question gets its answer, also many at once, and nobody else may ask", async (t) => {
  const socketPath = await serving(t, (question) =>
    question.ask === "list"
      ? LIST
      : {
          kind: "unknown",
          node: "a",
          candidates: [question.service, String(question.from)],
          isAmbiguous: false,
        },
  );
  assert.deepEqual(await askRouting(socketPath, { ask: "list" }, { signal }), LIST);
  const asked = ["x", "y", "z"].map((service) =>
    askRouting(socketPath, { ask: "explain", service, from: parseIp("2001:db8::1") }, { signal }),
  );
  assert.deepEqual(
    (await Promise.all(asked)).map((answer) => answer.kind === "unknown" && answer.candidates),
    ["x", "y", "z"].map((service) => [service, "2001:db8::1"]),
  );
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
});

test("an answer about many services comes whole", async (t) => {
  const problems = Array.from({ length: 50_000 }, (_, i) => ({
    service: `default/s${i}`,
    reason: "FrontendTaken" as const,
    message: "another has it",
  }));
  const socketPath = await serving(t, () => ({ ...LIST, problems }));
  const answer = await askRouting(socketPath, { ask: "list" }, { signal });
  assert.equal(answer.kind === "list" && answer.problems.length, 50_000);
});

const QUESTIONS: readonly (readonly [said: string, read: Question | undefined])[] = [
  ['{"ask":"list"}', { ask: "list" }],
  ['{"ask":"list","service":7}', { ask: "list" }],
  ['{"ask":"explain","service":"a/b"}', { ask: "explain", service: "a/b" }],
  [
    '{"ask":"explain","service":"a/b","from":"FD00::1","to":"10.0.0.1","port":80}',
    { ask: "explain", service: "a/b", from: parseIp("fd00::1"), to: parseIp("10.0.0.1"), port: 80 },
  ],
  ['{"ask":"explain"}', undefined],
  ['{"ask":"explain","service":"a/b","from":"nowhere"}', undefined],
  ['{"ask":"explain","service":"a/b","port":"80"}', undefined],
  ['{"ask":"explain","service":"a/b","port":1.5}', undefined],
  ['{"ask":"delete"}', undefined],
  ["null", undefined],
  ["[]", undefined],
  ["{", undefined],
  ["", undefined],
];

for (const [said, read] of QUESTIONS)
  test(`a question is read, or is none: ${said}`, () => assert.deepEqual(readQuestion(said), read));

test("whatever is said, a question comes out or nothing", () => {
  const words = [
    '"ask"',
    '"explain"',
    '"service"',
    ":",
    ",",
    "{",
    "}",
    "[",
    "]",
    "1",
    "null",
    '"from"',
    '"::"',
  ];
  let seed = 7;
  const next = (n: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % n;
  };
  for (let i = 0; i < 5_000; i++) {
    const said = Array.from({ length: next(14) }, () => words[next(words.length)]).join("");
    const read = readQuestion(said);
    assert.ok(read === undefined || read.ask === "list" || typeof read.service === "string", said);
  }
});

for (const [what, said] of Object.entries({ "no question": "hello\n", "no end": "x".repeat(1 << 20) }))
  test(`who says ${what} is hung up on, and disturbs nobody`, async (t) => {
    const socketPath = await serving(t, () => LIST);
    const rude = connect(socketPath);
    rude.on("error", () => {});
    const closed = new Promise((resolve) => rude.once("close", resolve));
    rude.write(said);
    rude.resume();
    await closed;
    assert.deepEqual(await askRouting(socketPath, { ask: "list" }, { signal }), LIST);
  });

test("an answer that cannot be given is told in the log, and the next one is given", async (t) => {
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info" });
  const socketPath = await serving(
    t,
    (question) => {
      if (question.ask === "explain") throw new Error("cannot");
      return LIST;
    },
    log,
  );
  await assert.rejects(askRouting(socketPath, { ask: "explain", service: "x" }, { signal }), {
    code: "BadStatus",
  });
  assert.match(lines.join(""), /WARN {2}could not answer about services/);
  assert.deepEqual(await askRouting(socketPath, { ask: "list" }, { signal }), LIST);
});

test("where nobody answers, that is said", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "twill-services-"));
  t.after(() => rmSync(dir, { recursive: true }));
  await assert.rejects(askRouting(join(dir, "service.sock"), { ask: "list" }, { signal }), {
    code: "NoAgent",
    message: /no Twill that routes services runs here/,
  });
});

for (const [what, said] of Object.entries({
  nothing: "",
  "half of it": JSON.stringify(LIST).slice(0, 40),
  "another version's": JSON.stringify({ kind: "list", services: 7 }),
  "an unknown kind": JSON.stringify({ kind: "toString" }),
}))
  test(`what is no answer is refused: ${what}`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "twill-services-"));
    const socketPath = join(dir, "service.sock");
    const server = createServer((socket) => socket.on("data", () => socket.end(said)));
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    t.after(() => {
      server.close();
      rmSync(dir, { recursive: true });
    });
    await assert.rejects(askRouting(socketPath, { ask: "list" }, { signal }), { code: "BadStatus" });
  });

test("where the socket cannot be made routing does without, and says so", async () => {
  const lines: string[] = [];
  const log = openLog({ write: (line) => lines.push(line), level: "info" });
  await serveRouting({ socketPath: "/dev/null/service.sock", answer: () => LIST, log, signal });
  assert.match(lines.join(""), /WARN {2}the routing of services cannot be asked for socket=\/dev\/null/);
});
