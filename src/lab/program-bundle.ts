import { join } from "node:path";
import { buildImages } from "#node/runtime/process/images/build";
import { ensureBundles } from "#node/runtime/process/images/bundle";
import { slimUndici } from "#node/runtime/process/images/slim-undici";

/** What nodes run, and what their pods run, made once for all labs of this checkout. */
export interface Built {
  /** The program's entry. */
  readonly entry: string;
  readonly imagesDir: string;
}

/** Bundles the program and the carried images below `.twill/` when their sources have changed: three nodes then start in a
 *  third of the processor time, and none of them has to bundle anything itself. */
export async function buildProgram(root: string): Promise<Built> {
  const dir = join(root, ".twill/bundle");
  const imagesDir = join(root, ".twill/images");
  const program = ensureBundles(dir, [
    {
      name: "program",
      entryPoints: {
        twill: "bin/twill.ts",
        "api-worker": "src/app/api-worker.ts",
        "store-worker": "src/store/worker.ts",
      },
      splitting: true,
      plugins: [slimUndici],
      external: ["koffi", "esbuild", "@grpc/grpc-js"],
      builders: ["src/lab/program-bundle.ts", "src/node/runtime/process/images/slim-undici.ts"],
    },
  ]);
  await Promise.all([program, buildImages(imagesDir)]);
  return { entry: join(dir, "twill.mjs"), imagesDir };
}
