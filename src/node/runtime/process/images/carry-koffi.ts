import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "esbuild";

/** Puts the native part of koffi beside the bundle, the one of this machine's C library, and loads it from there: a container
 *  has no `node_modules`. Its other part does nothing but look for this one. */
export const carryKoffi: Plugin = {
  name: "carry-koffi",
  setup(build) {
    build.onResolve({ filter: /^koffi$/ }, () => ({ path: "koffi", namespace: "carried" }));
    build.onLoad({ filter: /.*/, namespace: "carried" }, () => ({
      resolveDir: "/",
      contents: `module.exports = require(${JSON.stringify(nativePart())})`,
    }));
  },
};

/** `node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node` */
function nativePart(): string {
  const { resolve } = createRequire(import.meta.url);
  const libc = isGlibc() ? "linux" : "musl";
  return join(
    dirname(resolve(`@koromix/koffi-linux-${process.arch}`)),
    `${libc}_${process.arch}`,
    "koffi.node",
  );
}

function isGlibc(): boolean {
  // With it, the other end of each socket is looked up in DNS while everything waits.
  Object.assign(process.report, { excludeNetwork: true });
  const report: unknown = process.report.getReport();
  const header = typeof report === "object" && report !== null && "header" in report ? report.header : {};
  return typeof header === "object" && header !== null && "glibcVersionRuntime" in header;
}
