import { explain } from "#fault/fault";
import type { AttachmentKey } from "../model.ts";
import { parseJsonObject } from "../runtime/json.ts";
import { type FlannelCall, readFlannelCall } from "./flannel-conf.ts";
import type { Call } from "./frame.ts";
import { isObject, type JsonObject, JsonPlace } from "./json.ts";
import { PluginError } from "./plugin-error.ts";
import {
  isAtLeast,
  isSpecVersion,
  SPEC_VERSIONS,
  type SpecVersion,
  UNNAMED_VERSION,
} from "./spec-version.ts";
import { readAttachment, readKey, type WantedAttachment } from "./wanted-attachment.ts";

/** What one run of the executable asks for. */
export type PluginCall =
  /** Of the plugin `loopback`, which containerd calls for every sandbox. */
  | {
      readonly verb: "LOOPBACK";
      readonly version: SpecVersion;
      readonly isAdded: boolean;
      readonly netns: string;
      readonly prevResult: JsonObject | undefined;
    }
  /** Of the plugin `flannel`, which hands on to another one. */
  | FlannelCall
  | { readonly verb: "VERSION"; readonly version: SpecVersion }
  | { readonly verb: "STATUS"; readonly version: SpecVersion }
  | {
      readonly verb: "GC";
      readonly version: SpecVersion;
      readonly network: string;
      readonly valid: readonly AttachmentKey[];
    }
  | { readonly verb: "DEL"; readonly version: SpecVersion; readonly key: AttachmentKey }
  | { readonly verb: "ADD"; readonly version: SpecVersion; readonly attachment: WantedAttachment }
  | { readonly verb: "CHECK"; readonly version: SpecVersion; readonly attachment: WantedAttachment };

type Verb = Exclude<PluginCall["verb"], "LOOPBACK" | "FLANNEL">;
type Variable = "CNI_CONTAINERID" | "CNI_NETNS" | "CNI_IFNAME" | "CNI_PATH";

/** Since when a verb is, and what must be in its environment. @see CNI specification 1.1, section 2 */
const VERBS: Readonly<Record<Verb, { readonly since: SpecVersion; readonly needs: readonly Variable[] }>> = {
  ADD: { since: "0.1.0", needs: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"] },
  DEL: { since: "0.1.0", needs: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"] },
  CHECK: { since: "0.4.0", needs: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"] },
  GC: { since: "1.1.0", needs: ["CNI_PATH"] },
  STATUS: { since: "1.1.0", needs: [] },
  VERSION: { since: "0.1.0", needs: [] },
};

/** The version that an answer to `stdin` is written in, as far as it says one. */
export function versionOf(stdin: string): SpecVersion | undefined {
  try {
    const json: unknown = JSON.parse(stdin);
    const version = isObject(json) ? json["cniVersion"] : undefined;
    return isSpecVersion(version) ? version : undefined;
  } catch {
    return undefined;
  }
}

/** @throws {PluginError} in the specification's words */
export function readCall({ env, stdin }: Call): PluginCall {
  const verb = readVerb(env["CNI_COMMAND"]);
  // Whatever comes with it must not matter.
  if (verb === "VERSION") return { verb, version: versionOf(stdin) ?? "1.1.0" };
  checkEnvironment(verb, env);
  const config = readJson(stdin);
  const version = readVersion(config);
  if (!isAtLeast(version, VERBS[verb].since))
    throw new PluginError(
      "incompatibleVersion",
      `Cannot ${verb} for version ${version}: it came with ${VERBS[verb].since}`,
    );
  const network = readNetworkName(config);
  if (config.at("type").string() === "loopback")
    return {
      verb: "LOOPBACK",
      version,
      isAdded: verb === "ADD",
      netns: env["CNI_NETNS"] ?? "",
      prevResult: config.at("prevResult").object(),
    };
  if (config.at("type").string() === "flannel")
    return readFlannelCall({ version, command: verb, network, env, config });
  switch (verb) {
    case "STATUS":
      return { verb, version };
    case "GC":
      return { verb, version, network, valid: readValid(config) };
    case "DEL":
      return { verb, version, key: readKey(env) };
    case "ADD":
    case "CHECK":
      return { verb, version, attachment: readAttachment(env, network, config) };
    default:
      return verb satisfies never;
  }
}

function readVerb(text = ""): Verb {
  if (Object.hasOwn(VERBS, text)) return text as Verb;
  if (text === "") throw new PluginError("badEnvironment", "required env variables [CNI_COMMAND] missing");
  throw new PluginError("badEnvironment", `unknown CNI_COMMAND: ${text}`);
}

function checkEnvironment(verb: Verb, env: Call["env"]): void {
  const { needs } = VERBS[verb];
  const missing = needs.filter((name) => !env[name]);
  if (missing.length > 0)
    throw new PluginError("badEnvironment", `required env variables [${missing.join(",")}] missing`);
  const { CNI_CONTAINERID: id = "", CNI_IFNAME: ifname = "" } = env;
  if (needs.includes("CNI_CONTAINERID") && !/^[A-Za-z0-9][\w.-]*$/.test(id))
    throw new PluginError("badEnvironment", "invalid characters in containerID", id);
  if (needs.includes("CNI_IFNAME") && (!/^[^/:\s]{1,15}$/.test(ifname) || [".", ".."].includes(ifname)))
    throw new PluginError("badEnvironment", "interface name is invalid", ifname);
}

function readJson(stdin: string): JsonPlace {
  try {
    return new JsonPlace(parseJsonObject(stdin), "");
  } catch (error) {
    throw new PluginError("decoding", "Cannot read the network configuration", explain(error));
  }
}

function readVersion(config: JsonPlace): SpecVersion {
  const version = config.at("cniVersion").string() || UNNAMED_VERSION;
  if (isSpecVersion(version)) return version;
  throw new PluginError(
    "incompatibleVersion",
    "incompatible CNI versions",
    `config is ${JSON.stringify(version)}, plugin supports ${JSON.stringify(SPEC_VERSIONS)}`,
  );
}

function readNetworkName(config: JsonPlace): string {
  const name = config.at("name").string() ?? "";
  if (name === "") throw new PluginError("badConfig", "missing network name");
  if (!/^[A-Za-z0-9][\w.-]*$/.test(name))
    throw new PluginError("badConfig", "invalid characters found in network name", name);
  return name;
}

/** Older runtimes say it under the name that the specification had first. */
function readValid(config: JsonPlace): readonly AttachmentKey[] {
  const key = config.at("cni.dev/valid-attachments");
  const place = key.value === undefined ? config.at("cni.dev/attachments") : key;
  return place.list().map((each) => ({
    containerId: each.at("containerID").string() ?? each.refuse("has no containerID"),
    ifname: each.at("ifname").string() ?? each.refuse("has no ifname"),
  }));
}
