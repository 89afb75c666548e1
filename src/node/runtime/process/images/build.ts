import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { IMAGE_NAMES, type ImageName } from "./catalog.ts";
import { slimUndici } from "./slim-undici.ts";

const ROOT = resolve(fileURLToPath(new URL("../../../../..", import.meta.url)));

const BUILDERS = ["build.ts", "slim-undici.ts"].map((file) => `src/node/runtime/process/images/${file}`);

/** What went into a bundle, kept beside it: paths from the project's root and one hash over their bytes. */
interface Recipe {
  readonly inputs: readonly string[];
  readonly hash: string;
}

/** Makes `<outDir>/<name>.mjs` of every carried image, which needs nothing but Node and the files beside it. A bundle whose inputs have
 *  not changed is left alone (some milliseconds for all). Safe beside another process doing the same. */
export async function buildImages(outDir: string): Promise<void> {
  const stale = IMAGE_NAMES.filter((name) => !isCurrent(outDir, name));
  if (stale.length === 0) return;
  mkdirSync(outDir, { recursive: true });
  const esbuild = await import("esbuild");
  await Promise.all(stale.map((name) => buildImage(esbuild, outDir, name)));
}

function isCurrent(outDir: string, name: ImageName): boolean {
  try {
    const recipe = JSON.parse(readFileSync(join(outDir, `${name}.json`), "utf8")) as Recipe;
    readFileSync(join(outDir, `${name}.mjs`));
    return hashOf(recipe.inputs) === recipe.hash;
  } catch {
    return false; // Nothing built yet, or an input is gone: building tells.
  }
}

async function buildImage(esbuild: typeof import("esbuild"), outDir: string, name: ImageName): Promise<void> {
  const { metafile, outputFiles } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: { [name]: `bin/images/${name}.ts` },
    outdir: resolve(outDir),
    outExtension: { ".js": ".mjs" },
    chunkNames: `${name}-[hash]`,
    // What is loaded only when needed stays in files of its own, where that is much.
    splitting: name === "coredns",
    plugins: [slimUndici],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minify: true,
    keepNames: false,
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "silent",
    // Packages in CommonJS form ask for `require` of node's own modules.
    banner: { js: 'import{createRequire as _c}from"node:module";const require=_c(import.meta.url);' },
  });
  const files = Object.keys(metafile.inputs).filter((input) => !/^(?:pool-only|unused):/.test(input));
  const inputs = [...files, ...BUILDERS].sort();
  const recipe: Recipe = { inputs, hash: hashOf(inputs) };
  // The entry comes last: once it is there, all that it loads is.
  for (const { path, contents } of outputFiles.toReversed()) writeWhole(path, contents);
  writeWhole(join(outDir, `${name}.json`), JSON.stringify(recipe));
}

function hashOf(inputs: readonly string[]): string {
  const hash = createHash("sha1");
  for (const input of inputs) hash.update(input).update(readFileSync(join(ROOT, input)));
  return hash.digest("hex");
}

/** Readers see the old file or the new one, never half of it. */
function writeWhole(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}
