/** The house holds: imports only go down, the FFI stays in its room, files stay small, and generated tables say so. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { FFI_FOLDER, LONGEST_FILE_LINES, ROOMS } from "./rooms.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const files = globSync("src/**/*.ts", { cwd: root }).sort();
const IMPORT = /(?:from\s+|import\s*\(\s*|import\s+|new URL\(\s*)"([^"]+)"/g;

function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? "");
}

function roomOf(file: string): string {
  return file.split("/")[1] ?? "";
}

const isTest = (file: string) => file.endsWith(".test.ts");

test("every file under src is in a room of the table", () => {
  const strangers = files.filter((file) => !(roomOf(file) in ROOMS));
  assert.deepEqual(strangers, []);
});

test("imports across rooms only go down the table", () => {
  const wrong = files
    .filter((file) => !isTest(file))
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => specifier.startsWith("#"))
        .map((specifier) => specifier.slice(1).split("/")[0] ?? "")
        .filter((room) => room !== roomOf(file) && !ROOMS[roomOf(file)]?.includes(room))
        .map((room) => `${file} imports ${room}`),
    );
  assert.deepEqual(wrong, []);
});

test("relative imports stay in their room", () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => relative(root, join(root, dirname(file), specifier)))
      .filter((target) => target.startsWith("src/") && roomOf(target) !== roomOf(file))
      .map((target) => `${file} reaches into ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test("the table itself has no cycles", () => {
  const reach = (room: string, seen: readonly string[]): void => {
    assert.ok(!seen.includes(room), `${[...seen, room].join(" -> ")}`);
    for (const below of ROOMS[room] ?? []) reach(below, [...seen, room]);
  };
  for (const room of Object.keys(ROOMS)) reach(room, []);
});

test("koffi is imported only in the FFI folder", () => {
  const wrong = files.filter((file) => importsOf(file).includes("koffi") && !file.startsWith(FFI_FOLDER));
  assert.deepEqual(wrong, []);
});

test("what the FFI folder declares is wrapped by the kernel room before anybody else sees it", () => {
  const wrong = files.filter(
    (file) => roomOf(file) !== "kernel" && importsOf(file).some((each) => each.startsWith("#kernel/ffi")),
  );
  assert.deepEqual(wrong, []);
});

test(`no file is longer than ${LONGEST_FILE_LINES} lines, generated tables and tests aside`, () => {
  const long = files
    .filter((file) => !isTest(file) && !file.includes("/generated/"))
    .map((file) => ({ file, lines: readFileSync(join(root, file), "utf8").split("\n").length }))
    .filter(({ lines }) => lines > LONGEST_FILE_LINES);
  assert.deepEqual(long, []);
});

test("every room of the table exists", () => {
  const rooms = Object.keys(ROOMS).filter((room) => !files.some((file) => roomOf(file) === room));
  assert.deepEqual(rooms, []);
});

test("programs in bin are short: they only compose", () => {
  const long = globSync("bin/**/*.ts", { cwd: root })
    .map((file) => ({ file, lines: readFileSync(join(root, file), "utf8").split("\n").length }))
    .filter(({ lines }) => lines > 41);
  assert.deepEqual(long, []);
});
