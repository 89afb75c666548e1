import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PipeWindow } from "#kernel/pipe-taker";
import { decodeLogLine } from "../../logs/line.ts";
import { makePipes, OutputPump } from "./output.ts";
import { Turns } from "./turns.ts";

const PUMP = fileURLToPath(new URL("./testing/pump.ts", import.meta.url));
/** Writes numbered lines to 1 and 2 in bursts, at about 40000 a second. */
const WRITER = `
  let sent = 0;
  const timer = setInterval(() => {
    let [out, err] = ["", ""];
    for (let i = 0; i < 400 && sent < Number(process.argv[1]); i++, sent++)
      if (sent % 3) out += "line " + sent + " " + "x".repeat(sent % 97) + "\\n"; else err += "line " + sent + "\\n";
    require("fs").writeSync(1, out); require("fs").writeSync(2, err || "\\n");
    if (sent === Number(process.argv[1])) clearInterval(timer);
  }, 10);
`;

interface Place {
  readonly folder: string;
  readonly log: string;
  readonly hold: readonly number[];
}

/** Pipes of a run, held open as its supervisor would. */
function place(t: { after: (f: () => void) => void }): Place {
  const folder = mkdtempSync(join(tmpdir(), "twt-output-"));
  makePipes(folder);
  const hold = ["stdout", "stdout.held", "stderr", "stderr.held"].map((name, i) =>
    openSync(join(folder, name), i % 2 ? constants.O_RDWR : constants.O_RDONLY | constants.O_NONBLOCK),
  );
  t.after(() => {
    hold.forEach(closeSync);
    rmSync(folder, { recursive: true });
  });
  return { folder, log: join(folder, "0.log"), hold };
}

function startWriter({ folder }: Place, lines: number): ChildProcess {
  const fds = ["stdout", "stderr"].map((name) => openSync(join(folder, name), constants.O_WRONLY));
  const writer = spawn(process.execPath, ["-e", WRITER, String(lines)], { stdio: ["ignore", ...fds] });
  fds.forEach(closeSync);
  return writer;
}

/** The numbers of all lines in the log, of which some came in pieces. */
function numbersIn(log: string): readonly number[] {
  const whole: string[] = [];
  const open = { stdout: "", stderr: "" };
  for (const text of readFileSync(log, "latin1").split("\n").slice(0, -1)) {
    const line = decodeLogLine(Buffer.from(text, "latin1"));
    assert.ok(line, `no line of a log: ${text}`);
    open[line.stream] += line.content.toString("latin1");
    if (line.isPartial) continue;
    whole.push(open[line.stream]);
    open[line.stream] = "";
  }
  assert.deepEqual(open, { stdout: "", stderr: "" });
  return whole.flatMap((line) => (line === "" ? [] : [Number(/^line (\d+)( x*)?$/.exec(line)?.[1] ?? line)]));
}

test("each line is in the log once, whenever the agent is killed", { timeout: 60_000 }, async (t) => {
  const here = place(t);
  const lines = 20_000;
  const writer = startWriter(here, lines);
  const written = once(writer, "exit");
  let kills = 0;
  let isOver = false;
  void written.then(() => {
    isOver = true;
  });
  for (let seed = 7; !isOver && kills < 12; kills++) {
    const agent = spawn(process.execPath, [PUMP, here.folder, here.log], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(agent, "exit"); // by itself, too, once the writer has ended
    await Promise.race([once(agent.stdout, "data"), ended]);
    seed = (seed * 48_271) % 0x7fffffff;
    const until = performance.now() + (seed % 60);
    while (performance.now() < until) await new Promise(setImmediate);
    agent.kill("SIGKILL");
    await ended;
  }
  const last = spawn(process.execPath, [PUMP, here.folder, here.log], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await Promise.all([written, once(last, "exit")]);
  const found = numbersIn(here.log);
  t.diagnostic(`${kills} kills`);
  assert.equal(found.length, lines);
  assert.equal(new Set(found).size, lines);
});

test("what a last agent left half done is finished once", async (t) => {
  const step = (owner: number, before: number, bytes: number) => {
    const out = Buffer.alloc(24);
    for (const [i, value] of [owner, before, bytes].entries()) out.writeBigUInt64LE(BigInt(value), i * 8);
    return out;
  };
  const line = (text: string) => `2026-01-02T03:04:05.000000000Z stdout F ${text}\n`;
  const [first, second] = [line("first"), line("second")];
  const cases = [
    { name: "before the step was noted", log: first, step: step(0, 0, 0), held: "second\n" },
    {
      name: "before anything was added",
      log: first,
      step: step(1, first.length, second.length),
      held: "second\n",
    },
    {
      name: "with half of it added",
      log: first + second.slice(0, 20),
      step: step(1, first.length, second.length),
      held: "second\n",
    },
    {
      name: "with all of it added",
      log: first + second,
      step: step(1, first.length, second.length),
      held: "second\n",
    },
    { name: "and given up", log: first + second, step: step(1, first.length, second.length), held: "" },
    {
      name: "of the other stream",
      log: first + second,
      step: step(2, first.length, second.length),
      held: "",
    },
    { name: "with its note cut short", log: first, step: Buffer.alloc(3), held: "second\n" },
    {
      name: "with a log that somebody emptied",
      log: "",
      step: step(1, first.length, second.length),
      held: "first\nsecond\n",
    },
  ];
  for (const c of cases)
    await t.test(c.name, async (inner) => {
      const { folder, log } = place(inner);
      writeFileSync(log, c.log);
      writeFileSync(join(folder, "log.step"), c.step);
      const held = openSync(join(folder, "stdout.held"), constants.O_RDWR | constants.O_NONBLOCK);
      if (c.held) writeSync(held, c.held);
      const window = new PipeWindow();
      await new OutputPump(folder, log, {
        window,
        turns: new Turns(),
        onRefusal: (error) => assert.fail(String(error)),
      }).drained;
      closeSync(held);
      const contents = readFileSync(log, "latin1")
        .split("\n")
        .map((text) => text.split(" ")[3]);
      assert.deepEqual(contents, ["first", "second", undefined]);
      window[Symbol.dispose]();
    });
});

test("a log that cannot be written holds the container up and loses nothing", async (t) => {
  const here = place(t);
  const window = new PipeWindow();
  t.after(() => window[Symbol.dispose]());
  const refusals: unknown[] = [];
  const writer = startWriter(here, 500);
  const pump = new OutputPump(here.folder, "/dev/full", {
    window,
    turns: new Turns(),
    onRefusal: (error) => refusals.push(error),
  });
  t.after(() => pump[Symbol.dispose]());
  await once(writer, "exit");
  pump.wake();
  while (refusals.length === 0) await new Promise(setImmediate);
  assert.match(String(refusals[0]), /ENOSPC/);
  pump[Symbol.dispose]();
  rmSync(join(here.folder, "log.step"));
  await new OutputPump(here.folder, here.log, {
    window,
    turns: new Turns(),
    onRefusal: (error) => assert.fail(String(error)),
  }).drained;
  assert.equal(new Set(numbersIn(here.log)).size, 500);
});
