import { readFileSync, type Stats, statfsSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { explain } from "#fault/fault";
import type { Flags } from "./flags.ts";
import type { Subcommand } from "./subcommand.ts";

const NEW_CONTENT = "mount-tester new file\n";
const TMPFS_MAGIC = 0x01021994;
const NEW_FILE_MODES = ["0644", "0666", "0660", "0777"] as const;
const LOOP_MS = 2000;

const path = (name: string, help: string) => ({ name, kind: "text", fallback: "", help }) as const;

export const mounttest: Subcommand = {
  summary: "Makes files and tells filesystem type, owner, mode, permissions and content of files",
  flags: [
    path("fs_type", "Path to print the filesystem type of"),
    ...NEW_FILE_MODES.map((mode) => path(`new_file_${mode}`, `Path to write to with mode ${mode}`)),
    path("file_mode", "Path to print the mode of"),
    path("file_perm", "Path to print the permissions of"),
    path("file_owner", "Path to print the owners of"),
    path("file_content", "Path to print the content of"),
    path("file_content_in_loop", "Path to print the content of, again and again"),
    { name: "retry_time", kind: "number", fallback: "180", help: "Seconds that the loop lasts" },
    {
      name: "break_on_expected_content",
      kind: "switch",
      fallback: "true",
      help: "End the loop once the content is that of a new file",
    },
  ],
  async run({ flags, signal }) {
    process.umask(0);
    // In this order: one command line may make a file and then ask about it.
    let isGood = told(flags, "fs_type", (file) => `mount type of "${file}": ${fsTypeOf(file)}`);
    for (const mode of NEW_FILE_MODES) isGood = makeFile(flags, mode) && isGood;
    const steps: readonly [flag: string, tell: (file: string) => string][] = [
      ["file_mode", (file) => `mode of file "${file}": ${formatMode(statSync(file))}`],
      ["file_perm", (file) => `perms of file "${file}": -${formatBits(statSync(file).mode)}`],
      ["file_owner", ownersOf],
      ["file_content", contentOf],
    ];
    for (const [flag, tell] of steps) isGood = told(flags, flag, tell) && isGood;
    return (await readInLoop(flags, signal)) && isGood ? 0 : 1;
  },
};

/** Prints what there is to say of the file that a flag names, or why it cannot be said; true when there was nothing wrong. */
function told(flags: Flags, flag: string, tell: (file: string) => string): boolean {
  const file = flags.text(flag);
  if (file === "") return true;
  try {
    print(tell(file));
    return true;
  } catch (error) {
    print(`error from ${flag} of "${file}": ${explain(error)}`);
    return false;
  }
}

function makeFile(flags: Flags, mode: string): boolean {
  return told(flags, `new_file_${mode}`, (file) => {
    writeFileSync(file, NEW_CONTENT, { mode: Number.parseInt(mode, 8) });
    return contentOf(file);
  });
}

async function readInLoop(flags: Flags, signal: AbortSignal): Promise<boolean> {
  const file = flags.text("file_content_in_loop");
  if (file === "") return true;
  const endMs = performance.now() + flags.number("retry_time") * 1000;
  let isGood = false;
  while (performance.now() < endMs && !signal.aborted) {
    try {
      const content = readFileSync(file, "utf8");
      isGood = true;
      print(`content of file "${file}": ${content}`);
      if (flags.isOn("break_on_expected_content") && content === NEW_CONTENT) return true;
    } catch (error) {
      isGood = false;
      print(`Error reading file ${file}: ${explain(error)}, retrying`);
    }
    await sleep(LOOP_MS, undefined, { signal }).catch(() => undefined);
  }
  return isGood;
}

function contentOf(file: string): string {
  return `content of file "${file}": ${readFileSync(file, "utf8")}`;
}

function ownersOf(file: string): string {
  const { uid, gid } = statSync(file);
  return `owner UID of "${file}": ${uid}\nowner GID of "${file}": ${gid}`;
}

function fsTypeOf(file: string): string {
  const { type } = statfsSync(file);
  return type === TMPFS_MAGIC ? "tmpfs" : String(type);
}

/** As Go writes a mode: what it is and what is special about it in letters, then the permissions. */
export function formatMode(stats: Pick<Stats, "mode" | "isDirectory" | "isFile">): string {
  const letters = [
    stats.isDirectory() ? "d" : "",
    stats.mode & 0o4000 ? "u" : "",
    stats.mode & 0o2000 ? "g" : "",
    stats.mode & 0o1000 ? "t" : "",
  ].join("");
  return (letters === "" ? "-" : letters) + formatBits(stats.mode);
}

function formatBits(mode: number): string {
  return Array.from("rwxrwxrwx", (letter, i) => (mode & (0o400 >> i) ? letter : "-")).join("");
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
