import { type FSWatcher, watch } from "node:fs";

/** Hears of each write to the file or pipe at `path`. Undefined where the kernel can watch no more files: a look now and then has
 *  to do. */
export function watchFile(path: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
