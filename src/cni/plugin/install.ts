import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { keepWhole } from "#disk/whole-file";
import { PluginError } from "./plugin-error.ts";
import { DEFAULT_SOCKET } from "./serve.ts";

/** The plugin's type, which is its file's name. */
export const PLUGIN_TYPE = "twill-cni";
const LOOPBACK_TYPE = "loopback";
/** The plugin of K3s's list and of flannel's, by which other plugins are given this node's subnet. */
const FLANNEL_TYPE = "flannel";
const NEAR_BYTES = 1024;
/** The name K3s gives its list, so that what replaces one replaces the other. */
const LIST_FILE = "10-flannel.conflist";
const LIST_DOUBLE = "10-flannel.twill";
/** The pods' network by its name of old, which is also the folder of its addresses. */
const NETWORK_NAME = "cbr0";
const PERL = "/usr/bin/perl";

export interface PluginFolders {
  /** Where runtimes look for plugins: `/opt/cni/bin`. */
  readonly binDir: string;
  /** Where runtimes look for networks: `/etc/cni/net.d`. */
  readonly confDir: string;
}

export interface PluginFiles extends PluginFolders {
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
export function installPlugin(files: PluginFiles, source: PluginSource): string {
  const path = installExecutable(files, source);
  // Runtimes look when a file is renamed within the folder, and read only names that end in .conf, .conflist or .json.
  keepWhole(join(files.confDir, LIST_FILE), conflist(), { mode: 0o600 });
  return path;
}

/** The same for a list of somebody else's, which stands as it is; its plugins are looked for in `otherBinDirs` too. Its plugin
 *  `flannel` is ours, unless there is one already. @throws {Error} of the file system */
export function installList(
  files: PluginFiles,
  source: PluginSource,
  { text, otherBinDirs }: { readonly text: string; readonly otherBinDirs: readonly string[] },
): void {
  const path = installExecutable(files, source);
  const flannel = join(files.binDir, FLANNEL_TYPE);
  if (!existsSync(flannel) || isOurs(flannel))
    keepWhole(flannel, readFileSync(path, "utf8"), { mode: 0o755 });
  linkPlugins(files.binDir, otherBinDirs);
  // What we have put there is known by its double, which no runtime reads.
  keepWhole(join(files.confDir, LIST_DOUBLE), text, { mode: 0o600 });
  keepWhole(join(files.confDir, LIST_FILE), text, { mode: 0o600 });
}

/** Old runtimes look in one folder only. */
function linkPlugins(binDir: string, otherBinDirs: readonly string[]): void {
  for (const dir of otherBinDirs.filter((each) => resolve(each) !== resolve(binDir) && existsSync(each)))
    for (const { name } of readdirSync(dir, { withFileTypes: true }).filter(
      (entry) => !entry.isDirectory(),
    )) {
      const link = join(binDir, name);
      if (existsSync(link)) continue;
      rmSync(link, { force: true });
      symlinkSync(join(dir, name), link);
    }
}

/** The executable alone, which asks at `socketPath`. @returns its path */
export function installExecutable(
  { binDir, socketPath }: Pick<PluginFiles, "binDir" | "socketPath">,
  source: PluginSource,
): string {
  const text = executableText(source, socketPath);
  const path = join(binDir, PLUGIN_TYPE);
  keepWhole(path, text, { mode: 0o755 });
  // containerd wants lo set up by a plugin of this name, for every sandbox.
  const loopback = join(binDir, LOOPBACK_TYPE);
  if (!existsSync(loopback) || isOurs(loopback)) keepWhole(loopback, text, { mode: 0o755 });
  return path;
}

/** Runtimes no longer find the network, and after it the plugin. Absent is success; what is not ours is left alone. */
export function uninstallPlugin({ binDir, confDir }: PluginFolders): void {
  const [list, double] = [join(confDir, LIST_FILE), join(confDir, LIST_DOUBLE)];
  if (isOurs(list) || (existsSync(double) && textOf(double) === textOf(list))) rmSync(list, { force: true });
  rmSync(double, { force: true });
  for (const type of [FLANNEL_TYPE, LOOPBACK_TYPE, PLUGIN_TYPE])
    if (isOurs(join(binDir, type))) rmSync(join(binDir, type), { force: true });
}

/** The executable's own text. @throws {PluginError} for a path that cannot stand in it */
export function executableText({ dir, node }: PluginSource, socketPath: string): string {
  if (!/^\/[\w./-]{1,106}$/.test(socketPath))
    throw new PluginError("badConfig", `Cannot use ${socketPath} as the agent's socket`);
  const text = existsSync(PERL)
    ? readFileSync(join(dir, "twill-cni.pl"), "utf8")
    : readFileSync(join(dir, "twill-cni.cjs"), "utf8").replace(/^#!.*/, `#!${node}`);
  return text.replace(DEFAULT_SOCKET, socketPath);
}

/** Of version 1.0.0, because runtimes of today's distributions refuse a newer one; those that know 1.1.0 find it beside. */
export function conflist(name = NETWORK_NAME): string {
  const plugin = {
    type: PLUGIN_TYPE,
    capabilities: { portMappings: true, bandwidth: true, ips: true, mac: true, dns: true },
  };
  const list = { cniVersion: "1.0.0", cniVersions: ["1.0.0", "1.1.0"], name, plugins: [plugin] };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/** Both the executable and the list name it, near their beginning. */
function isOurs(path: string): boolean {
  return textOf(path)?.slice(0, NEAR_BYTES).includes(PLUGIN_TYPE) ?? false;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
