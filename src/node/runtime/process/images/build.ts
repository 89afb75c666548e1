import { type BundleSpec, ensureBundles } from "./bundle.ts";
import { IMAGE_NAMES } from "./catalog.ts";
import { slimUndici } from "./slim-undici.ts";

const FOLDER = "src/node/runtime/process/images";

/** Makes `<outDir>/<name>.mjs` of every carried image, which needs nothing but Node and the files beside it. A bundle whose
 *  inputs have not changed is left alone. Safe beside another process doing the same. */
export async function buildImages(outDir: string): Promise<void> {
  const specs = IMAGE_NAMES.map(
    (name): BundleSpec => ({
      name,
      entryPoints: { [name]: `bin/images/${name}.ts` },
      splitting: name === "coredns",
      plugins: [slimUndici],
      builders: [`${FOLDER}/build.ts`, `${FOLDER}/slim-undici.ts`],
    }),
  );
  await ensureBundles(outDir, specs);
}
