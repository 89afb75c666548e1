import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_SOCKET } from "./serve.ts";

/** The plugin's type, which is its file's name. */
export const PLUGIN_TYPE = "twill-cni";
/** The name K3s gives its list, so that what replaces one replaces the other. */
export const LIST_FILE = "10-flannel.conflist";
/** The pods' network by its name of old, which is also the folder of its addresses. */
const NETWORK_NAME = "cbr0";
const PERL = "/usr/bin/perl";

export interface PluginFiles {
  /** Where runtimes look for plugins: `/opt/cni/bin`. */
  readonly binDir: string;
  /** Where runtimes look for networks: `/etc/cni/net.d`; undefined installs the executable alone. */
  readonly confDir: string | undefined;
  /** Where the agent answers. */
  readonly socketPath: string;
}

/** From where the executable is taken, and what runs it where the system has no perl. */
export interface PluginSource {
  /** The folder of `twill-cni.pl` and `twill-cni.cjs`. */
  readonly dir: string;
  readonly node: string;
}

/** Runtimes find the plugin, and after it the network that names it. What stands is replaced in one step each.
 *  @returns the executable's path; @throws {Error} of the file system */
export function installPlugin({ binDir, confDir, socketPath }: PluginFiles, source: PluginSource): string {
  const path = join(binDir, PLUGIN_TYPE);
  place(path, executableText(source), 0o755);
  // Runtimes look when a file is renamed within the folder, and read only names that end in .conf, .conflist or .json.
  if (confDir !== undefined) place(join(confDir, LIST_FILE), conflist(socketPath), 0o600);
  return path;
}

/** Runtimes no longer find the network, and after it the plugin. Absent is success; another's list is left alone. */
export function uninstallPlugin({ binDir, confDir }: Omit<PluginFiles, "socketPath">): void {
  if (confDir !== undefined && isOwnList(join(confDir, LIST_FILE))) rmSync(join(confDir, LIST_FILE));
  rmSync(join(binDir, PLUGIN_TYPE), { force: true });
}

/** The executable's own text. */
export function executableText({ dir, node }: PluginSource): string {
  if (existsSync(PERL)) return readFileSync(join(dir, "twill-cni.pl"), "utf8");
  return readFileSync(join(dir, "twill-cni.cjs"), "utf8").replace(/^#!.*/, `#!${node}`);
}

/** Of version 1.0.0, because runtimes of today's distributions refuse a newer one; those that know 1.1.0 find it beside. */
export function conflist(socketPath: string, name = NETWORK_NAME): string {
  const plugin = {
    type: PLUGIN_TYPE,
    capabilities: { portMappings: true, bandwidth: true, ips: true, mac: true, dns: true },
    ...(socketPath === DEFAULT_SOCKET ? {} : { socket: socketPath }),
  };
  const list = { cniVersion: "1.0.0", cniVersions: ["1.0.0", "1.1.0"], name, plugins: [plugin] };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/** Whole or not at all, by a rename in the same folder; a file that is the same is left as it is. */
function place(path: string, text: string, mode: number): void {
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o755 });
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  const scratch = `${path}.tmp`;
  writeFileSync(scratch, text, { mode });
  chmodSync(scratch, mode);
  renameSync(scratch, path);
}

/** Whether the list names our plugin first, whatever else a person has written into it. */
function isOwnList(path: string): boolean {
  try {
    return readFileSync(path, "utf8").includes(`"${PLUGIN_TYPE}"`);
  } catch {
    return false;
  }
}
