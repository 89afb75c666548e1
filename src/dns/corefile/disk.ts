import { readdirSync, readFileSync } from "node:fs";
import type { CorefileSource } from "./parse.ts";

/** Corefiles from the file system. */
export function diskSource(env: CorefileSource["env"]): CorefileSource {
  return {
    env,
    readFile: (path) => readFileSync(path, "utf8"),
    listFolder(path) {
      try {
        return readdirSync(path);
      } catch {
        return []; // A folder that is not there matches nothing.
      }
    },
  };
}
