import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { test } from "node:test";
import { keepOpen } from "./keep-open.ts";
import { openPipe } from "./pipe.ts";

for (const ends of ["the process it is for", "the keeper itself"] as const) {
  test(`what is kept open stays so until ${ends} is killed`, async () => {
    const kept = spawn("sleep", ["1000"], { stdio: "ignore" });
    const { from, to } = openPipe();
    const keeper = keepOpen(to.number, kept.pid ?? -1);
    to[Symbol.dispose]();
    const reading = new Socket({ fd: from.disown(), writable: false }).resume();
    let isOver = false;
    const over = once(reading, "end").then(() => {
      isOver = true;
    });
    const ended = once(keeper, "exit");
    assert.match(readFileSync(`/proc/${keeper.pid}/cmdline`, "latin1"), /^twill-input/);
    assert.equal(isOver, false);
    process.kill((ends === "the keeper itself" ? keeper.pid : kept.pid) ?? -1, "SIGKILL");
    await Promise.all([over, ended]);
    kept.kill("SIGKILL");
  });
}

test("nothing is kept open for a process that is gone", async () => {
  const gone = spawn("true", { stdio: "ignore" });
  await once(gone, "exit");
  const { from, to } = openPipe();
  assert.throws(() => keepOpen(to.number, gone.pid ?? -1), { code: "ESRCH" });
  for (const end of [from, to]) end[Symbol.dispose]();
});
