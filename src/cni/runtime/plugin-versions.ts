import { statSync } from "node:fs";
import { findPlugin } from "./find-plugin.ts";
import { versionInvocation } from "./invocation.ts";
import { parseJsonObject } from "./json.ts";
import type { NetworkList } from "./network-list.ts";
import { runPlugin } from "./run-plugin.ts";
import { chooseVersion, IMPLIED_VERSION, NEWEST_VERSION } from "./version.ts";

/** As many executables as are remembered; a node has some twenty. */
const REMEMBERED = 256;

/** Which versions of the specification plugins support: asked once of each executable, and again when it was replaced. */
export class PluginVersions {
  readonly #timeoutMs: number;
  readonly #known = new Map<string, Promise<readonly string[] | undefined>>();

  constructor({ timeoutMs }: { timeoutMs: number }) {
    this.#timeoutMs = timeoutMs;
  }

  /** The version to speak with the plugins of a network: of those it offers the newest that all of them support. */
  async choose({ versions, plugins }: NetworkList, binDirs: readonly string[]): Promise<string> {
    const [only = IMPLIED_VERSION, ...more] = versions;
    if (more.length === 0) return only; // There is nothing to choose, so nobody has to be asked.
    const types = [...new Set(plugins.map(({ type }) => type))];
    const supported = await Promise.all(types.map((type) => this.supported(type, binDirs)));
    return chooseVersion(versions, supported);
  }

  /** Undefined when the plugin is missing or does not say. */
  async supported(type: string, binDirs: readonly string[]): Promise<readonly string[] | undefined> {
    const path = pathOf(type, binDirs);
    if (path === undefined) return undefined;
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    const key = [path, ino, size, mtimeMs, ctimeMs].join(" ");
    const known = this.#known.get(key);
    if (known) return known;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    const asked = this.#ask(path);
    this.#known.set(key, asked);
    if ((await asked) === undefined) this.#known.delete(key);
    return asked;
  }

  async #ask(path: string): Promise<readonly string[] | undefined> {
    try {
      const end = await runPlugin(path, versionInvocation(NEWEST_VERSION), { timeoutMs: this.#timeoutMs });
      return end.code === 0 ? parseSupported(end.stdout) : undefined;
    } catch {
      return undefined;
    }
  }
}

/** What a plugin answers to VERSION; undefined when it is no such answer. */
export function parseSupported(stdout: string): readonly string[] | undefined {
  try {
    const { supportedVersions } = parseJsonObject(stdout);
    if (!Array.isArray(supportedVersions)) return undefined;
    return supportedVersions.filter((version): version is string => typeof version === "string");
  } catch {
    return undefined;
  }
}

function pathOf(type: string, binDirs: readonly string[]): string | undefined {
  try {
    return findPlugin(type, binDirs);
  } catch {
    return undefined;
  }
}
