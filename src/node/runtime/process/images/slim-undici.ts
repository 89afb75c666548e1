import type { Plugin } from "esbuild";

/** Of undici connection pools over HTTP/1.1 are used and nothing else. The whole package (fetch, caches, WebSockets, and
 *  through them node's own HTTP servers) costs a pod 100 ms of processor time at start, this part 40. */
export const slimUndici: Plugin = {
  name: "slim-undici",
  setup(build) {
    const root = build.initialOptions.absWorkingDir ?? ".";
    build.onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "pool-only" }));
    build.onLoad({ filter: /.*/, namespace: "pool-only" }, () => ({ resolveDir: root, contents: POOL_ONLY }));
    build.onResolve({ filter: /^node:http2?$/ }, ({ path, importer }) =>
      importer.includes("/undici/") ? { path, namespace: "unused" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "unused" }, ({ path }) => ({ contents: UNUSED[path] ?? "" }));
  },
};

const POOL_ONLY = `
  import Dispatcher from "./node_modules/undici/lib/dispatcher/dispatcher.js";
  import Pool from "./node_modules/undici/lib/dispatcher/pool.js";
  import api from "./node_modules/undici/lib/api/index.js";
  Object.assign(Dispatcher.prototype, api);
  export { Pool };
`;

/** What undici reads from modules that it loads but, over HTTP/1.1, never calls. */
const UNUSED: Readonly<Record<string, string>> = {
  "node:http": "module.exports = { maxHeaderSize: 16384, IncomingMessage: class {} }",
  "node:http2": "module.exports = { constants: {} }",
};
