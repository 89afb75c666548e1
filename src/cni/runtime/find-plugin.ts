import { statSync } from "node:fs";
import { join } from "node:path";
import { PluginFault } from "./plugin-fault.ts";

/** The plugin's executable: the first folder that has the file. @throws {PluginFault} "PluginMissing", with the folders */
export function findPlugin(type: string, binDirs: readonly string[]): string {
  if (type.includes("/") || type.includes("\0") || type === "." || type === "..")
    throw new PluginFault("PluginMissing", `invalid plugin name: ${JSON.stringify(type)}`);
  const found = binDirs.map((dir) => join(dir, type)).find(isFile);
  if (found !== undefined) return found;
  throw new PluginFault(
    "PluginMissing",
    `failed to find plugin ${JSON.stringify(type)} in path [${binDirs.join(" ")}]`,
  );
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
