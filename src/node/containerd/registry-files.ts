import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { keepWhole, readIfThere } from "#disk/whole-file";
import { explain } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import { NO_REGISTRIES, type Registries, readRegistries } from "./registries.ts";

const HEADER = "# Made by Twill from the file of registries; what is written here is lost.\n";
const FILE = "hosts.toml";

/** Brings `certs.d` to what the file of registries says; what others have put there stays. A file that cannot be used is told
 *  in the log, and counts as none. */
export function placeRegistries(path: string, certsDir: string, log: Logger): Registries {
  const registries = readOrTell(path, log);
  for (const warning of registries.warnings) log.warn(warning, { file: path });
  for (const name of foldersIn(certsDir)) {
    const isOurs = readIfThere(join(certsDir, name, FILE))?.startsWith(HEADER) ?? false;
    if (isOurs && !registries.hosts.has(name)) rmSync(join(certsDir, name), { recursive: true });
  }
  for (const [name, text] of registries.hosts)
    keepWhole(join(certsDir, name, FILE), HEADER + text, { mode: 0o600, isFlushed: true });
  return registries;
}

function readOrTell(path: string, log: Logger): Registries {
  try {
    const text = readIfThere(path);
    return text === undefined ? NO_REGISTRIES : readRegistries(text, path);
  } catch (error) {
    log.error("images come from their own registries alone", { error: explain(error) });
    return NO_REGISTRIES;
  }
}

function foldersIn(dir: string): readonly string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
