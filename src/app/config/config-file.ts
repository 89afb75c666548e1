/** `/etc/rancher/k3s/config.yaml` and its `.d` folder: flags as YAML keys, merged as K3s merges them. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { explain } from "#fault/fault";

export interface ConfigFileReading {
  /** Flag name to values, in the order the keys were first seen. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly string[];
}

/** Reads the file and then its drop-ins by name. A missing file is fine; a broken one is a problem that names the line. */
export function readConfigFiles(path: string): ConfigFileReading {
  const values = new Map<string, string[]>();
  const problems: string[] = [];
  for (const file of [path, ...dropIns(`${path}.d`)]) {
    try {
      merge(values, readOne(file, problems));
    } catch (error) {
      problems.push(`config file ${file}: ${explain(error)}`);
    }
  }
  return { values, problems };
}

function dropIns(dir: string): readonly string[] {
  try {
    const names = readdirSync(dir, { withFileTypes: true }).filter(
      (entry) => entry.isFile() && /\.ya?ml$/i.test(entry.name),
    );
    return names.map((entry) => join(dir, entry.name)).sort();
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function readOne(file: string, problems: string[]): ReadonlyMap<string, readonly string[]> {
  const text = readTextIfThere(file);
  if (text === undefined) return new Map();
  const document = parseDocument(text, { version: "1.1" });
  for (const error of document.errors) problems.push(`config file ${file}: ${error.message.split("\n")[0]}`);
  if (document.errors.length > 0) return new Map();
  const content: unknown = document.toJS();
  if (content === null || content === undefined) return new Map();
  if (typeof content !== "object" || Array.isArray(content)) {
    problems.push(`config file ${file}: expected keys that are flag names, such as "node-name: a"`);
    return new Map();
  }
  return new Map(Object.entries(content).map(([key, value]) => [key, asTexts(value)]));
}

function asTexts(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.map(String);
  return [value === null || value === undefined ? "" : String(value)];
}

/** `key` replaces what came before, `key+` adds to it. */
function merge(into: Map<string, string[]>, from: ReadonlyMap<string, readonly string[]>): void {
  for (const [key, values] of from) {
    const name = key.replace(/\+$/, "");
    into.set(name, key.endsWith("+") ? [...(into.get(name) ?? []), ...values] : [...values]);
  }
}

function readTextIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
