import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Plugin } from "esbuild";
import { writeWhole } from "#disk/whole-file";

/** Programs that start often run from a few files instead of hundreds: this makes those files. */
export interface BundleSpec {
  /** Also the name of the recipe that is kept beside the files. */
  readonly name: string;
  /** Output name to source file, from the project's root. */
  readonly entryPoints: Readonly<Record<string, string>>;
  /** What is loaded only when needed, or by several entries, stays in files of its own. */
  readonly splitting: boolean;
  readonly plugins?: readonly Plugin[];
  /** Packages that are found at run time. */
  readonly external?: readonly string[];
  /** Files that shape the result without being in it. */
  readonly builders: readonly string[];
}

/** What went into a bundle: paths from the project's root and one hash over their bytes. */
interface Recipe {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly hash: string;
}

/** From this source, or from the bundle of the whole program in `.twill/bundle`. */
const ROOT_FROM_HERE = import.meta.url.endsWith(".ts") ? "../../../../.." : "../..";
const ROOT = resolve(fileURLToPath(new URL(ROOT_FROM_HERE, import.meta.url)));
const THIS_FILE = "src/node/runtime/process/images/bundle.ts";

/** Makes the bundles whose inputs have changed, as `<outDir>/<entry>.mjs`; the others are left alone (some milliseconds for
 *  all). Safe beside another process doing the same. */
export async function ensureBundles(outDir: string, specs: readonly BundleSpec[]): Promise<void> {
  const stale = specs.filter((spec) => !isCurrent(outDir, spec));
  if (stale.length === 0) return;
  mkdirSync(outDir, { recursive: true });
  const esbuild = await import("esbuild");
  await Promise.all(stale.map((spec) => bundle(esbuild, outDir, spec)));
}

/** The files of a bundle that was made: an older one's may lie beside them. @throws what reading the recipe throws */
export function bundleFiles(outDir: string, name: string): readonly string[] {
  return (JSON.parse(readFileSync(join(outDir, `${name}.json`), "utf8")) as Recipe).outputs;
}

function isCurrent(outDir: string, { name }: BundleSpec): boolean {
  try {
    const recipe = JSON.parse(readFileSync(join(outDir, `${name}.json`), "utf8")) as Recipe;
    for (const output of recipe.outputs) readFileSync(join(outDir, output));
    return hashOf(recipe.inputs) === recipe.hash;
  } catch {
    return false; // Nothing built yet, or an input is gone: building tells.
  }
}

async function bundle(esbuild: typeof import("esbuild"), outDir: string, spec: BundleSpec): Promise<void> {
  const { metafile, outputFiles } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: { ...spec.entryPoints },
    outdir: resolve(outDir),
    outExtension: { ".js": ".mjs" },
    chunkNames: `${spec.name}-[hash]`,
    splitting: spec.splitting,
    plugins: [...(spec.plugins ?? [])],
    external: [...(spec.external ?? [])],
    // A package's module form can be cut down to what is used; its CommonJS form cannot.
    mainFields: ["module", "main"],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    loader: { ".node": "copy" },
    assetNames: `${spec.name}-[hash]`,
    minify: true,
    keepNames: false,
    legalComments: "none",
    metafile: true,
    write: false,
    logLevel: "silent",
    // Packages in CommonJS form ask for `require` of node's own modules.
    banner: {
      js: 'import{createRequire as __create}from"node:module";const require=__create(import.meta.url);',
    },
  });
  const files = Object.keys(metafile.inputs).filter((input) => !/^(?:pool-only|unused|carried):/.test(input));
  const inputs = [...new Set([...files, ...spec.builders, THIS_FILE])].sort();
  const outputs = outputFiles.map(({ path }) => path.slice(resolve(outDir).length + 1));
  const recipe: Recipe = { inputs, outputs, hash: hashOf(inputs) };
  // The entry comes last: once it is there, all that it loads is.
  for (const { path, contents } of outputFiles.toReversed()) writeWhole(path, contents, { mode: 0o644 });
  writeWhole(join(outDir, `${spec.name}.json`), JSON.stringify(recipe), { mode: 0o644 });
}

function hashOf(inputs: readonly string[]): string {
  const hash = createHash("sha1");
  for (const input of inputs) hash.update(input).update(readFileSync(join(ROOT, input)));
  return hash.digest("hex");
}
