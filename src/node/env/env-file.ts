import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";

const MAX_BYTES = 1 << 20;

/** The value of a variable in a file of a volume; empty when the file does not set it. No link leads out of the volume.
 *  @throws {Fault} "BadEnvFile" */
export function readEnvFile(volume: string, path: string, key: string): string {
  return parseEnvFile(readInside(volume, path), key);
}

function readInside(volume: string, path: string): string {
  try {
    const fd = openSync(join(volume, path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      // Whatever the path has become meanwhile: this is what was opened.
      const opened = readlinkSync(`/proc/self/fd/${fd}`);
      const { size } = fstatSync(fd);
      if (!opened.startsWith(`${realpathSync(volume)}/`) || !fstatSync(fd).isFile() || size > MAX_BYTES)
        throw bad(`${path} is not a file of the volume`);
      return readFileSync(fd, "utf8");
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw bad(`failed to open environment variable file ${JSON.stringify(path)}`);
  }
}

/** Lines such as `NAME='value' # remark`, whose values may go over several lines and hold anything but quotes.
 *  @throws {Fault} "BadEnvFile". @see kubelet util/env/env_util.go */
export function parseEnvFile(text: string, key: string): string {
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const line = (lines[i] ?? "").replace(/^[ \t]+/, "");
    if (line === "" || line.startsWith("#")) continue;
    const [, name, rest] = /^([^=]*[^= \t])=(.*)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined) throw bad(`line ${i + 1} is not such as NAME='value'`);
    if (/^[ \t]/.test(rest) || rest === "") {
      // As in a shell, nothing but blanks behind the sign is an empty value.
      if (rest === "") throw bad(`line ${i + 1}: the value is not in single quotes`);
      if (name === key) return "";
      continue;
    }
    if (!rest.startsWith("'")) throw bad(`line ${i + 1}: the value is not in single quotes`);
    const begun = i;
    let value = rest.slice(1);
    while (!value.includes("'")) {
      i++;
      if (i >= lines.length) throw bad(`line ${begun + 1}: the quote is not closed`);
      value += `\n${lines[i]}`;
    }
    const end = value.indexOf("'");
    if (!/^[ \t]*(?:#|$)/.test(value.slice(end + 1))) throw bad(`line ${i + 1}: something follows the quote`);
    if (name === key) return value.slice(0, end);
  }
  return "";
}

function bad(message: string): Fault {
  return new Fault("BadEnvFile", message);
}
