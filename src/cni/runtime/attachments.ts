import { accessSync, constants, statfsSync } from "node:fs";
import { explain } from "#fault/fault";
import type { Logger } from "#telemetry/log";
import { findPlugin } from "./find-plugin.ts";
import {
  type Attached,
  type AttachmentId,
  type Invocation,
  invocationOf,
  networkInvocation,
} from "./invocation.ts";
import type { JsonObject } from "./json.ts";
import { type NetworkList, type PluginConfig, parseNetworkList } from "./network-list.ts";
import { answerOf } from "./plugin-answer.ts";
import { PLUGIN_CODES, PluginFault, wordsOf } from "./plugin-fault.ts";
import type { PluginVersions } from "./plugin-versions.ts";
import { type CniResult, parseResult, resultOf } from "./result.ts";
import type { CachedAttachment, ResultCache } from "./result-cache.ts";
import { type PluginEnd, runPlugin } from "./run-plugin.ts";
import { endStrayPlugins } from "./stray-plugins.ts";
import { isAtLeast } from "./version.ts";

export interface AttachmentsOptions {
  /** Looked in for executables, in order. */
  readonly binDirs: readonly string[];
  readonly cache: ResultCache;
  readonly versions: PluginVersions;
  /** Of one plugin's work. */
  readonly timeoutMs: number;
  readonly log: Logger;
}

/** A network, and the version its plugins are spoken to in. */
interface Spoken {
  readonly list: NetworkList;
  readonly version: string;
}

/** Attaches sandboxes to networks by running the networks' plugins, and takes that back. Whoever calls sees to the order: no
 *  two calls for one container at a time. @see SPEC.md of CNI 1.1, section 3 */
export class Attachments {
  readonly #options: AttachmentsOptions;

  constructor(options: AttachmentsOptions) {
    this.#options = options;
  }

  /** All of the network's plugins have done their part, and it is written down; or none has, as far as they can take back.
   *  @throws {PluginFault} in the words of the plugin that refused */
  async add(list: NetworkList, attached: Attached): Promise<CniResult> {
    const { cache } = this.#options;
    const version = await this.#versionOf(list);
    const cached: CachedAttachment = {
      ...attached,
      network: list.name,
      config: list.text,
      result: undefined,
    };
    cache.write(cached); // Whoever dies on the way is cleaned up after.
    const done: PluginConfig[] = [];
    let result: CniResult | undefined;
    try {
      for (const plugin of list.plugins) {
        const call = { list, version, attached, prevResult: result?.json };
        const path = this.#find("add", plugin);
        done.push(plugin);
        result = readAnswer(plugin, version, await this.#run("ADD", plugin, path, call));
      }
      if (!result) throw new Error("broken invariant: a network without plugins");
      cache.write({ ...cached, result: result.json });
      return result;
    } catch (error) {
      if (wasNotStarted(error)) done.pop();
      await this.#takeBack({ list, version }, done, attached, result?.json);
      throw error;
    }
  }

  /** Takes back what `add` did, by the configuration and the result of then. Without these, plugins are asked as far as they
   *  are there. Absent is success. @throws {PluginFault} */
  async remove(current: NetworkList | undefined, attached: Attached): Promise<void> {
    const { cache, log } = this.#options;
    const cached = this.#findCached(current, attached);
    const list = (cached && this.#listOf(cached)) ?? current;
    if (!list) {
      if (cached) cache.remove(cached);
      return;
    }
    const { json: prevResult, version } = this.#knownResult(cached) ?? {};
    const spoken = { list, version: version ?? (await this.#versionOf(list)) };
    const known = cached ? { ...cached, netns: attached.netns || cached.netns } : attached;
    if (cached && !prevResult) await endStrayPlugins(known);
    const present = prevResult ? list.plugins : list.plugins.filter((plugin) => this.#isThere(plugin));
    if (present.length < list.plugins.length)
      log.warn("plugins that are missing were not asked to take back what was never finished", {
        network: list.name,
        container: attached.containerId,
      });
    await this.#removeBy(spoken, present, existing(known), prevResult);
    cache.remove({ ...attached, network: list.name });
  }

  /** @throws {PluginFault} in the words of the plugin that found something missing */
  async check(current: NetworkList | undefined, attached: Attached): Promise<void> {
    const cached = this.#findCached(current, attached);
    const list = (cached && this.#listOf(cached)) ?? current;
    if (!list || list.disableCheck) return;
    const { json: prevResult, version = await this.#versionOf(list) } = this.#knownResult(cached) ?? {};
    if (!isAtLeast(version, "0.4.0")) return;
    const known = cached ? { ...cached, netns: attached.netns || cached.netns } : attached;
    for (const plugin of list.plugins) {
      const path = this.#find("check", plugin);
      await this.#run("CHECK", plugin, path, { list, version, attached: known, prevResult });
    }
  }

  /** Tells the network's plugins which of its attachments are left. All are told, also when some refuse.
   *  @returns what went wrong */
  async collect(list: NetworkList, valid: readonly AttachmentId[]): Promise<readonly unknown[]> {
    const version = await this.#versionOf(list);
    if (list.disableGc || !isAtLeast(version, "1.1.0")) return [];
    const faults: unknown[] = [];
    for (const plugin of list.plugins) {
      const { binDirs } = this.#options;
      const call = networkInvocation(plugin, { network: list.name, version, binDirs, valid });
      try {
        answered("gc", plugin, await this.#execute("gc", plugin, this.#find("gc", plugin), call));
      } catch (error) {
        faults.push(error);
      }
    }
    return faults;
  }

  /** @throws {PluginFault} of the first plugin that could not serve an ADD now */
  async status(list: NetworkList): Promise<void> {
    const version = await this.#versionOf(list);
    if (!isAtLeast(version, "1.1.0")) return;
    const { binDirs } = this.#options;
    for (const plugin of list.plugins) {
      const call = networkInvocation(plugin, { network: list.name, version, binDirs });
      answered("status", plugin, await this.#execute("status", plugin, this.#find("status", plugin), call));
    }
  }

  /** What of the network's plugins is not there. */
  missing(list: NetworkList): readonly string[] {
    return list.plugins.filter((plugin) => !this.#isThere(plugin)).map(({ type }) => type);
  }

  /** The plugin that failed may have done half of its part. */
  async #takeBack(
    spoken: Spoken,
    done: readonly PluginConfig[],
    attached: Attached,
    prevResult: JsonObject | undefined,
  ): Promise<void> {
    const { cache, log } = this.#options;
    try {
      await this.#removeBy(spoken, done, attached, prevResult);
      cache.remove({ ...attached, network: spoken.list.name });
    } catch (error) {
      log.warn("a failed attachment could not be taken back yet", {
        container: attached.containerId,
        error: explain(error),
      });
    }
  }

  async #removeBy(
    { list, version }: Spoken,
    plugins: readonly PluginConfig[],
    attached: Attached,
    prevResult: JsonObject | undefined,
  ): Promise<void> {
    // Versions before 0.4.0 know no result at DEL.
    const given = prevResult && isAtLeast(version, "0.4.0") ? prevResult : undefined;
    for (const plugin of plugins.toReversed()) {
      const path = this.#find("delete", plugin);
      try {
        await this.#run("DEL", plugin, path, { list, version, attached, prevResult: given });
      } catch (error) {
        if (!(error instanceof PluginFault) || error.pluginCode !== PLUGIN_CODES.unknownContainer)
          throw error;
      }
    }
  }

  async #run(
    verb: "ADD" | "DEL" | "CHECK",
    plugin: PluginConfig,
    path: string,
    call: Spoken & { readonly attached: Attached; readonly prevResult: JsonObject | undefined },
  ): Promise<string> {
    const { list, version, attached, prevResult } = call;
    const { binDirs } = this.#options;
    const what = VERBS[verb];
    const invocation = invocationOf(verb, plugin, {
      network: list.name,
      version,
      attached,
      prevResult,
      binDirs,
    });
    return answered(what, plugin, await this.#execute(what, plugin, path, invocation));
  }

  async #execute(what: string, plugin: PluginConfig, path: string, call: Invocation): Promise<PluginEnd> {
    const { timeoutMs, log } = this.#options;
    try {
      const end = await runPlugin(path, call, { timeoutMs });
      if (end.code === 0 && end.stderr.trim() !== "")
        log.debug("a plugin said", { plugin: plugin.type, verb: call.verb, stderr: wordsOf(end.stderr) });
      return end;
    } catch (error) {
      throw named(what, plugin, error);
    }
  }

  #find(what: string, plugin: PluginConfig): string {
    try {
      return findPlugin(plugin.type, this.#options.binDirs);
    } catch (error) {
      throw named(what, plugin, error);
    }
  }

  #isThere({ type }: PluginConfig): boolean {
    try {
      accessSync(findPlugin(type, this.#options.binDirs), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  }

  #versionOf(list: NetworkList): Promise<string> {
    return this.#options.versions.choose(list, this.#options.binDirs);
  }

  #findCached(current: NetworkList | undefined, attached: Attached): CachedAttachment | undefined {
    const { cache } = this.#options;
    return (current && cache.read(current.name, attached)) ?? cache.find(attached);
  }

  /** A configuration that was kept and can no longer be read is as good as none. */
  #listOf(cached: CachedAttachment): NetworkList | undefined {
    try {
      const list = parseNetworkList(cached.config);
      return list.name === cached.network && list.plugins.length > 0 ? list : undefined;
    } catch {
      return undefined;
    }
  }

  #knownResult(cached: CachedAttachment | undefined): CniResult | undefined {
    try {
      return cached?.result && resultOf(cached.result, "");
    } catch {
      return undefined;
    }
  }
}

const VERBS = { ADD: "add", DEL: "delete", CHECK: "check" } as const;

function readAnswer(plugin: PluginConfig, version: string, stdout: string): CniResult {
  try {
    return parseResult(stdout, version);
  } catch (cause) {
    const said = stdout.trim() === "" ? "nothing" : JSON.stringify(wordsOf(stdout));
    const fault = new PluginFault(
      "PluginTalksRubbish",
      `it printed ${said}, which is no result: ${cause instanceof Error ? cause.message : ""}`,
    );
    throw named("add", plugin, fault);
  }
}

function answered(what: string, plugin: PluginConfig, end: PluginEnd): string {
  try {
    return answerOf(end);
  } catch (error) {
    throw named(what, plugin, error);
  }
}

/** In libcni's words, which users of CNI know. */
function named(what: string, { type, name }: PluginConfig, error: unknown): unknown {
  if (!(error instanceof PluginFault)) return error;
  const whose = name === undefined ? "" : ` name=${JSON.stringify(name)}`;
  const { pluginCode } = error;
  return new PluginFault(
    error.code,
    `plugin type=${JSON.stringify(type)}${whose} failed (${what}): ${error.message}`,
    {
      detail: error.detail,
      ...(error.cause === undefined ? {} : { cause: error.cause }),
      ...(pluginCode === undefined ? {} : { pluginCode }),
    },
  );
}

function wasNotStarted(error: unknown): boolean {
  return error instanceof PluginFault && error.code === "PluginNotStarted";
}

/** Plugins are told of a namespace only while it is there: where it was mounted there may be an empty file now. */
function existing(attached: Attached): Attached {
  return isNamespace(attached.netns) ? attached : { ...attached, netns: "" };
}

const NAMESPACE_FILE_SYSTEMS: readonly number[] = [0x6e736673, 0x9fa0]; // nsfs, and proc for /proc/<pid>/ns/net

function isNamespace(path: string): boolean {
  try {
    return NAMESPACE_FILE_SYSTEMS.includes(statfsSync(path).type);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    return code !== "ENOENT" && code !== "ENOTDIR"; // Who may not look does not know better.
  }
}
