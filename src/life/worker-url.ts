/** Where a worker's program is: beside the file that starts it, under its source's name, or under its own when both were
 *  bundled into one folder. */
export function workerUrl(importMetaUrl: string, names: { source: string; bundled: string }): URL {
  return new URL(importMetaUrl.endsWith(".ts") ? names.source : names.bundled, importMetaUrl);
}
