import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Layer } from "./oci-archive.ts";
import { fromFile, type TarEntry } from "./tar.ts";

/** Where the images have Node. */
export const NODE_IN_IMAGE = "/usr/bin/node";

const REPORT =
  "const shared=()=>process.report.getReport().sharedObjects;process.report.excludeNetwork=true;const own=shared();" +
  "const[,koffi,...more]=process.argv;if(koffi)for(const name of more)require(koffi).load(name);" +
  "console.log(JSON.stringify(koffi?shared().filter((path)=>path!==koffi&&!own.includes(path)):own))";

/** Everything a program on Node needs below its own files: this process's Node, the libraries that one loads, users, names. */
export async function nodeLayer(): Promise<Layer> {
  const libraries = await librariesOf(process.execPath);
  return withFolders([
    ...users(),
    text("etc/nsswitch.conf", "hosts: files dns\n"),
    program(NODE_IN_IMAGE, process.execPath),
    ...libraries.map((path) => program(path, path)),
  ]);
}

/** C libraries that a program loads by koffi, whose native part is at `koffi`, with those that they load, but for Node's.
 *  @throws what loading them throws, where they are not installed */
export async function libraryLayer(koffi: string, names: readonly string[]): Promise<Layer> {
  const libraries = await librariesOf(process.execPath, [koffi, ...names]);
  return withFolders(libraries.map((path) => program(path, path)));
}

/** What that Node has loaded when it runs a script, as absolute paths; empty for one that is linked statically. */
async function librariesOf(node: string, args: readonly string[] = []): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(node, ["-e", REPORT, ...args], { env: {}, timeout: 30_000 });
  const loaded: unknown = JSON.parse(stdout);
  if (!Array.isArray(loaded)) return [];
  return loaded.filter((path): path is string => typeof path === "string" && path.startsWith("/"));
}

/** Root and nobody, with a home and a place for temporary files. */
export function users(): readonly TarEntry[] {
  return [
    text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    text("etc/group", "root:x:0:\nnobody:x:65534:\n"),
    { kind: "folder", path: "root", mode: 0o700 },
    { kind: "folder", path: "tmp", mode: 0o1777 },
  ];
}

export function program(path: string, source: string): TarEntry {
  return { kind: "file", path: path.replace(/^\/+/, ""), mode: 0o755, content: fromFile(source) };
}

export function text(path: string, content: string, mode = 0o644): TarEntry {
  return { kind: "file", path, mode, content: Buffer.from(content) };
}

/** In the order of a layer: by path, each folder before what is in it, made where nobody named it. */
export function withFolders(entries: readonly TarEntry[]): Layer {
  const all = new Map<string, TarEntry>();
  for (const entry of entries) {
    for (let at = entry.path.indexOf("/"); at > 0; at = entry.path.indexOf("/", at + 1)) {
      const path = entry.path.slice(0, at);
      if (!all.has(path)) all.set(path, { kind: "folder", path, mode: 0o755 });
    }
    all.set(entry.path, entry);
  }
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
