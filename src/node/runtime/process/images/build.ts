import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "#disk/whole-file";
import { type BundleSpec, ensureBundles } from "./bundle.ts";
import { carryKoffi } from "./carry-koffi.ts";
import { IMAGE_NAMES, PAUSE_FILE } from "./catalog.ts";
import { pauseProgram } from "./pause-program.ts";
import { slimUndici } from "./slim-undici.ts";

const FOLDER = "src/node/runtime/process/images";

/** Makes `<outDir>/<name>.mjs` of every carried image, which needs nothing but Node, the node's C libraries and the files beside
 *  it, and `<outDir>/pause`. What has not changed is left alone. Safe beside another process doing the same. */
export async function buildImages(outDir: string): Promise<void> {
  const specs = IMAGE_NAMES.filter((name) => name !== "pause").map(
    (name): BundleSpec => ({
      name,
      entryPoints: { [name]: `bin/images/${name}.ts` },
      splitting: name === "coredns",
      plugins: [slimUndici, carryKoffi],
      builders: [`${FOLDER}/build.ts`, `${FOLDER}/slim-undici.ts`, `${FOLDER}/carry-koffi.ts`],
    }),
  );
  await ensureBundles(outDir, specs);
  ensurePause(join(outDir, PAUSE_FILE));
}

function ensurePause(path: string): void {
  const program = pauseProgram(process.arch);
  try {
    if (readFileSync(path).equals(program)) return;
  } catch {
    // Not there yet.
  }
  writeWhole(path, program, { mode: 0o755 });
}
