import { type JsonObject, parseJsonObject } from "./json.ts";
import { PLUGIN_CODES, PluginFault, wordsOf } from "./plugin-fault.ts";
import type { PluginEnd } from "./run-plugin.ts";

/** What a plugin printed that ended well. @throws {PluginFault} "PluginFailed", "TryAgainLater", with its own words */
export function answerOf(end: PluginEnd): string {
  if (end.code === 0) return end.stdout;
  throw failureOf(end);
}

/** The error a plugin ended with: what it printed as such, or else whatever it said. */
export function failureOf({ code, signal, stdout, stderr }: PluginEnd): PluginFault {
  const how = signal === undefined ? `exit status ${code}` : `signal ${signal}`;
  if (stdout.trim() === "") {
    const said = wordsOf(stderr);
    return failed(
      said === ""
        ? `netplugin failed with no error message: ${how}`
        : `netplugin failed: ${JSON.stringify(said)}: ${how}`,
    );
  }
  const json = readError(stdout);
  if (!json)
    return failed(
      `netplugin failed but error parsing its diagnostic message ${JSON.stringify(wordsOf(stdout))}: ${how}`,
    );
  const msg = textAt(json, "msg");
  const details = textAt(json, "details");
  const words = msg === "" && details === "" ? `netplugin failed with no error message: ${how}` : msg;
  const pluginCode = typeof json["code"] === "number" ? json["code"] : undefined;
  const reason = pluginCode === PLUGIN_CODES.tryAgainLater ? "TryAgainLater" : "PluginFailed";
  return new PluginFault(reason, details === "" ? words : `${words}; ${details}`, {
    detail: { code: pluginCode },
    ...(pluginCode === undefined ? {} : { pluginCode }),
  });
}

function readError(stdout: string): JsonObject | undefined {
  try {
    return parseJsonObject(stdout);
  } catch {
    return undefined;
  }
}

function textAt(json: JsonObject, key: string): string {
  const value = json[key] ?? "";
  return wordsOf(typeof value === "string" ? value : JSON.stringify(value));
}

function failed(message: string): PluginFault {
  return new PluginFault("PluginFailed", message);
}
