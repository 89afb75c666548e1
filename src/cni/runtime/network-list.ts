import { isObject, type Json, type JsonObject, parseJsonObject } from "./json.ts";
import { offeredVersions } from "./version.ts";

/** One plugin of a network, as its configuration has it. */
export interface PluginConfig {
  /** The name of its executable. */
  readonly type: string;
  /** Only the plugin of a file of its own has one. */
  readonly name: string | undefined;
  /** What of `runtimeConfig` it asks for. */
  readonly capabilities: readonly string[];
  readonly json: JsonObject;
}

/** A network: the plugins that a pod is attached by, in order. */
export interface NetworkList {
  readonly name: string;
  /** Newest first; at least one. */
  readonly versions: readonly string[];
  readonly disableCheck: boolean;
  readonly disableGc: boolean;
  readonly loadOnlyInlinedPlugins: boolean;
  readonly plugins: readonly PluginConfig[];
  /** The configuration as it was read, which is also what is kept for DEL. */
  readonly text: string;
}

/** As long as a configuration may be; go-cni's limit. */
export const LONGEST_CONFIG = 2 * 1024 * 1024;

const NAME = /^[A-Za-z0-9][\w.-]*$/;

/** Reads a list (`.conflist`). Its plugins may all be in files of their own, so that there can be none here.
 *  @throws {SyntaxError} that says what is wrong with which key */
export function parseNetworkList(text: string): NetworkList {
  const json = parse(text);
  const plugins = json["plugins"];
  const loadOnlyInlinedPlugins = flagAt(json, "loadOnlyInlinedPlugins");
  if (plugins === undefined && loadOnlyInlinedPlugins)
    throw new SyntaxError("loadOnlyInlinedPlugins is true, and there is no plugins key");
  if (plugins !== undefined && (!Array.isArray(plugins) || plugins.length === 0))
    throw new SyntaxError("plugins: expected a list of at least one");
  return {
    name: networkName(json),
    versions: versionsOf(json),
    disableCheck: flagAt(json, "disableCheck"),
    disableGc: flagAt(json, "disableGC"),
    loadOnlyInlinedPlugins,
    plugins: (Array.isArray(plugins) ? plugins : []).map((plugin: Json, i) => {
      if (!isObject(plugin)) throw new SyntaxError(`plugins[${i}]: expected an object`);
      return pluginOf(plugin, `plugins[${i}]: `);
    }),
    text,
  };
}

/** Reads the configuration of one plugin (`.conf`, `.json`) as a list of one. @throws {SyntaxError} */
export function parseSinglePlugin(text: string): NetworkList {
  const json = parse(text);
  const plugin = pluginOf(json, "");
  // What DEL finds again has to be a list.
  const { cniVersion = "", name = "" } = json;
  return {
    name: networkName(json),
    versions: versionsOf(json),
    disableCheck: false,
    disableGc: false,
    loadOnlyInlinedPlugins: true,
    plugins: [plugin],
    text: JSON.stringify({ cniVersion, name, plugins: [json] }),
  };
}

/** The list with plugins of files of their own at its end. What is kept for DEL then holds them too. */
export function withFragments(list: NetworkList, fragments: readonly PluginConfig[]): NetworkList {
  if (fragments.length === 0) return list;
  const plugins = [...list.plugins, ...fragments];
  const json = { ...parse(list.text), loadOnlyInlinedPlugins: true };
  return { ...list, plugins, text: JSON.stringify({ ...json, plugins: plugins.map((one) => one.json) }) };
}

/** Reads a plugin's own file of a network's folder. @throws {SyntaxError} */
export function parseFragment(text: string): PluginConfig {
  return pluginOf(parse(text), "");
}

function parse(text: string): JsonObject {
  if (text.length > LONGEST_CONFIG) throw new SyntaxError("it is larger than 2 MB");
  return parseJsonObject(text);
}

function networkName(json: JsonObject): string {
  const name = json["name"];
  if (typeof name !== "string" || name === "") throw new SyntaxError("name: expected the network's name");
  if (!NAME.test(name) || name.length > 200)
    throw new SyntaxError(`name: ${JSON.stringify(name)} cannot be a network's name`);
  return name;
}

function versionsOf(json: JsonObject): readonly string[] {
  const { cniVersion = "", cniVersions = [] } = json;
  if (typeof cniVersion !== "string") throw new SyntaxError("cniVersion: expected text");
  if (!isTexts(cniVersions)) throw new SyntaxError("cniVersions: expected a list of texts");
  try {
    return offeredVersions(cniVersion, cniVersions);
  } catch (error) {
    throw new SyntaxError(`cniVersions: ${error instanceof Error ? error.message : ""}`, { cause: error });
  }
}

function pluginOf(json: JsonObject, where: string): PluginConfig {
  const { type, name, capabilities = {} } = json;
  if (typeof type !== "string" || type === "")
    throw new SyntaxError(`${where}type: expected the name of a plugin`);
  if (!isObject(capabilities)) throw new SyntaxError(`${where}capabilities: expected an object`);
  return {
    type,
    name: typeof name === "string" && name !== "" ? name : undefined,
    capabilities: Object.keys(capabilities).filter((key) => {
      const isOn = capabilities[key];
      if (typeof isOn !== "boolean") throw new SyntaxError(`${where}capabilities.${key}: expected a boolean`);
      return isOn;
    }),
    json,
  };
}

/** Some write booleans as text. */
function flagAt(json: JsonObject, key: string): boolean {
  const value = json[key] ?? false;
  const text = String(value).toLowerCase();
  if (typeof value === "object" || typeof value === "number" || (text !== "true" && text !== "false"))
    throw new SyntaxError(`${key}: expected a boolean`);
  return text === "true";
}

function isTexts(value: Json): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}
