import { dirname, isAbsolute, join } from "node:path";
import { CorefileFault, type Place } from "./fault.ts";

export function isGlob(path: string): boolean {
  return /[*?]/.test(path);
}

/** A path in an import counts from the folder of the file that imports. */
export function resolveFrom(file: string, target: string): string {
  return isAbsolute(target) ? target : join(dirname(file), target);
}

/** The files that a pattern matches, sorted; one `*` or `?`, in the last part. @throws {CorefileFault} for other patterns */
export function expandGlob(
  pattern: string,
  place: Place,
  listFolder: (path: string) => readonly string[],
): string[] {
  const folder = dirname(pattern);
  const last = pattern.slice(folder === "/" ? 1 : folder.length + 1);
  if ((pattern.match(/[*?]/g) ?? []).length > 1 || /[[\]]/.test(pattern) || isGlob(folder))
    throw new CorefileFault(place, `the pattern ${pattern} may have one '*' or '?', in its last part`);
  const source = last.replace(/[.*+?^${}()|[\]\\]/g, (c) => (c === "*" ? ".*" : c === "?" ? "." : `\\${c}`));
  const matcher = new RegExp(`^${source}$`);
  return listFolder(folder)
    .filter((name) => matcher.test(name) && !(name.startsWith(".") && !last.startsWith(".")))
    .sort()
    .map((name) => join(folder, name));
}
