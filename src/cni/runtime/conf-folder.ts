import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import {
  LONGEST_CONFIG,
  type NetworkList,
  type PluginConfig,
  parseFragment,
  parseNetworkList,
  parseSinglePlugin,
  withFragments,
} from "./network-list.ts";

export type FoundNetwork =
  | { readonly kind: "network"; readonly file: string; readonly list: NetworkList }
  /** There is no file that could be one. */
  | { readonly kind: "none"; readonly message: string }
  /** The first file is of no use, so there is no network, whatever comes after it. */
  | { readonly kind: "broken"; readonly file: string; readonly message: string };

const EXTENSIONS: ReadonlySet<string> = new Set([".conf", ".conflist", ".json"]);

/** The network that pods of this node are attached to: the first file of the folder by name, as containerd takes it. */
export function loadNetwork(confDir: string): FoundNetwork {
  let files: readonly string[];
  try {
    files = configFiles(confDir, EXTENSIONS);
  } catch (error) {
    return { kind: "none", message: `no network config found in ${confDir}: ${reasonOf(error)}` };
  }
  const [first] = files;
  if (first === undefined) return { kind: "none", message: `no network config found in ${confDir}` };
  const file = join(confDir, first);
  try {
    return { kind: "network", file, list: loadFile(confDir, file) };
  } catch (error) {
    return {
      kind: "broken",
      file,
      message: `failed to load CNI config list file ${file}: ${reasonOf(error)}`,
    };
  }
}

function loadFile(confDir: string, file: string): NetworkList {
  const text = readConfig(file);
  if (extname(file) !== ".conflist") return parseSinglePlugin(text);
  const list = parseNetworkList(text);
  const whole = list.loadOnlyInlinedPlugins
    ? list
    : withFragments(list, loadFragments(join(confDir, list.name)));
  if (whole.plugins.length === 0) throw new SyntaxError("no plugin configs found");
  return whole;
}

/** Plugins in files of their own, in a folder with the network's name. */
function loadFragments(dir: string): readonly PluginConfig[] {
  return configFiles(dir, new Set([".conf"])).map((name) => {
    const file = join(dir, name);
    try {
      return parseFragment(readConfig(file));
    } catch (error) {
      throw new SyntaxError(`${file}: ${reasonOf(error)}`, { cause: error });
    }
  });
}

/** In the order of their names' bytes; none when there is no such folder. */
function configFiles(dir: string, extensions: ReadonlySet<string>): readonly string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && extensions.has(extname(entry.name)))
      .map(({ name }) => name)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

function readConfig(file: string): string {
  if (statSync(file).size > LONGEST_CONFIG) throw new SyntaxError("it is larger than 2 MB");
  return readFileSync(file, "utf8");
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
