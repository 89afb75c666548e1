/** `/etc/rancher/k3s/config.yaml` and its `.d` folder: flags as YAML keys, merged as K3s merges them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import { explain } from "#fault/fault";

/** A key's values, and where the last of them stands: "node-ip in FILE, line 3". */
export interface FileValues {
  readonly texts: readonly string[];
  readonly place: string;
}

export interface ConfigFileReading {
  /** By flag name, in the order the keys were first seen. */
  readonly values: ReadonlyMap<string, FileValues>;
  readonly problems: readonly string[];
}

/** Reads the file and then its drop-ins by name. A missing file is fine unless it was asked for; a broken one is a problem
 *  that names the line. */
export function readConfigFiles(path: string, { isAsked }: { isAsked: boolean }): ConfigFileReading {
  const values = new Map<string, FileValues>();
  const problems: string[] = [];
  if (isAsked && !existsSync(path)) problems.push(`config file ${path}: it is not there`);
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

function readOne(file: string, problems: string[]): ReadonlyMap<string, FileValues> {
  const text = readTextIfThere(file);
  if (text === undefined) return new Map();
  const lines = new LineCounter();
  const document = parseDocument(text, { version: "1.1", lineCounter: lines });
  for (const error of document.errors)
    problems.push(`config file ${file}: ${(error.message.split("\n")[0] ?? "").replace(/:$/, "")}`);
  if (document.errors.length > 0 || document.contents === null) return new Map();
  if (!isMap(document.contents)) {
    problems.push(`config file ${file}: expected keys that are flag names, such as "node-name: a"`);
    return new Map();
  }
  const values = new Map<string, FileValues>();
  for (const { key, value } of document.contents.items) {
    const name = String(key);
    const start = isScalar(key) ? (key.range?.[0] ?? 0) : 0;
    const place = `${name.replace(/\+$/, "")} in ${file}, line ${lines.linePos(start).line}`;
    const texts = asTexts(isNode(value) ? value.toJS(document) : value);
    if (texts) values.set(name, { texts, place });
    else problems.push(`${place}: expected text or a list of texts`);
  }
  return values;
}

function asTexts(value: unknown): readonly string[] | undefined {
  const items = Array.isArray(value) ? value : [value];
  if (items.some((item) => typeof item === "object" && item !== null)) return undefined;
  return items.map((item: unknown) => (item === null || item === undefined ? "" : String(item)));
}

/** `key` replaces what came before, `key+` adds to it. */
function merge(into: Map<string, FileValues>, from: ReadonlyMap<string, FileValues>): void {
  for (const [key, { texts, place }] of from) {
    const name = key.replace(/\+$/, "");
    const before = key.endsWith("+") ? (into.get(name)?.texts ?? []) : [];
    into.set(name, { texts: [...before, ...texts], place });
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
