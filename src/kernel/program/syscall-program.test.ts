import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Arch, CODE_ADDRESS, DATA_ADDRESS, MACHINES, TABLE_OFFSET } from "./machine.ts";
import { SyscallProgram } from "./syscall-program.ts";

let dir = "";
before(() => {
  dir = mkdtempSync(join(tmpdir(), "twt-program-"));
});
after(() => rmSync(dir, { recursive: true }));

/** Runs the program here, with its own standard output. */
function run(program: SyscallProgram): { readonly out: Buffer; readonly code: number | null } {
  const path = join(dir, "program");
  writeFileSync(path, program.build(process.arch === "arm64" ? "arm64" : "x64"), { mode: 0o700 });
  const { stdout, status } = spawnSync(path, { env: {} });
  rmSync(path);
  return { out: stdout, code: status };
}

function say(program: SyscallProgram, text: string): void {
  program.call("write", [1, program.text(text), text.length]);
}

/** Every program needs one. */
function failWith(program: SyscallProgram, code: number): void {
  program.mark(program.failure);
  program.call("exit_group", [code]);
}

test("calls are made in order, and results become arguments", () => {
  const program = new SyscallProgram();
  const opened = program.result();
  const kept = program.words([0]);
  say(program, "one ");
  program.call("openat", [-100, program.text("/dev/null"), 0, 0], { into: opened });
  program.call("close", [opened]);
  program.call("getpid", [], { into: kept });
  program.call("write", [1, kept, 8]);
  program.call("exit_group", [7]);
  failWith(program, 99);
  const { out, code } = run(program);
  assert.equal(code, 7);
  assert.equal(out.toString("latin1", 0, 4), "one ");
  assert.ok(out.readBigUInt64LE(4) > 1n);
});

test("errors and zeros lead where they are told to", () => {
  const program = new SyscallProgram();
  const [odd, child, parent] = [program.label(), program.label(), program.label()];
  program.call("close", [77], { onError: odd });
  program.call("exit_group", [1]);
  program.mark(odd);
  program.call("close", [78], { onError: "next" });
  program.call("clone", [17, 0, 0, 0, 0], { onZero: child });
  program.call("waitid", [0, 0, 0, 4, 0], { onZero: parent });
  program.mark(parent);
  say(program, "parent");
  program.call("exit_group", [3]);
  program.mark(child);
  say(program, "child ");
  program.call("exit_group", [0]);
  failWith(program, 99);
  assert.deepEqual(run(program), { out: Buffer.from("child parent"), code: 3 });
});

test("a failed step is told by its call and the kernel's number", () => {
  const program = new SyscallProgram();
  program.call("getpid", []);
  program.call("setns", [1, 0]);
  program.mark(program.failure);
  program.call("write", [1, program.failureRecord, 16], { onError: "next" });
  program.call("exit_group", [5]);
  const { out, code } = run(program);
  assert.equal(code, 5);
  assert.deepEqual(program.failedStep(out), { call: "setns", errno: 22 });
  assert.equal(program.failedStep(Buffer.alloc(0)), undefined);
});

test("an executable has code that cannot be written and data that cannot be run, for both processors", () => {
  for (const arch of ["x64", "arm64"] satisfies Arch[]) {
    const program = new SyscallProgram();
    say(program, "x");
    failWith(program, 1);
    const elf = program.build(arch);
    const { elfMachine, pageBytes, code } = MACHINES[arch];
    assert.equal(elf.toString("latin1", 1, 4), "ELF");
    assert.equal(elf.readUInt16LE(18), elfMachine);
    const segments = [0, 1, 2].map((i) => {
      const at = 64 + 56 * i;
      return [
        elf.readUInt32LE(at + 4),
        Number(elf.readBigUInt64LE(at + 16)),
        Number(elf.readBigUInt64LE(at + 8)),
      ];
    });
    assert.deepEqual(segments, [
      [5, CODE_ADDRESS, 0],
      [6, DATA_ADDRESS, pageBytes],
      [6, 0, 0],
    ]);
    const start = Number(elf.readBigUInt64LE(24)) - CODE_ADDRESS;
    assert.deepEqual(elf.subarray(start, start + code.length), Buffer.from(code));
    assert.equal(Number(elf.readBigUInt64LE(pageBytes + TABLE_OFFSET)), arch === "x64" ? 1 : 64);
  }
});

test("a label that leads nowhere is a bug, told when the program is built", () => {
  const program = new SyscallProgram();
  program.call("getpid", []);
  assert.throws(() => program.build("x64"), /broken invariant/);
});
