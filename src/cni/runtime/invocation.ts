import type { JsonObject } from "./json.ts";
import type { PluginConfig } from "./network-list.ts";

export type Verb = "ADD" | "DEL" | "CHECK" | "GC" | "STATUS" | "VERSION";

/** An attachment as plugins are told of it. */
export interface Attached {
  readonly containerId: string;
  readonly ifname: string;
  /** Empty when it is gone. */
  readonly netns: string;
  /** `CNI_ARGS`, in order. */
  readonly args: readonly (readonly [string, string])[];
  /** What plugins may ask for by their capabilities. */
  readonly capabilityArgs: JsonObject;
}

export interface AttachmentId {
  readonly containerID: string;
  readonly ifname: string;
}

export interface Invocation {
  readonly verb: Verb;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** Programs that plugins start themselves, such as iptables, are found here; nothing else of our environment is theirs. */
const PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What one plugin of a network is started with. @see SPEC.md of CNI 1.1, sections 2 and 4 */
export function invocationOf(
  verb: "ADD" | "DEL" | "CHECK",
  plugin: PluginConfig,
  call: {
    readonly network: string;
    readonly version: string;
    readonly attached: Attached;
    readonly prevResult: JsonObject | undefined;
    readonly binDirs: readonly string[];
  },
): Invocation {
  const { network, version, attached, prevResult, binDirs } = call;
  const runtimeConfig = runtimeConfigOf(plugin, attached.capabilityArgs);
  return {
    verb,
    env: {
      ...environment(verb, binDirs),
      CNI_CONTAINERID: attached.containerId,
      CNI_NETNS: attached.netns,
      CNI_IFNAME: attached.ifname,
      CNI_ARGS: attached.args.map(([key, value]) => `${key}=${value}`).join(";"),
    },
    stdin: JSON.stringify({
      ...plugin.json,
      name: network,
      cniVersion: version,
      ...(prevResult ? { prevResult } : {}),
      ...(runtimeConfig ? { runtimeConfig } : {}),
    }),
  };
}

/** STATUS or GC of one plugin of a network; the latter knows which attachments are left. */
export function networkInvocation(
  plugin: PluginConfig,
  call: {
    readonly network: string;
    readonly version: string;
    readonly binDirs: readonly string[];
    /** Absent: STATUS. */
    readonly valid?: readonly AttachmentId[];
  },
): Invocation {
  const { network, version, binDirs, valid } = call;
  const verb = valid ? "GC" : "STATUS";
  // The second key is what libcni wrote at first, and still writes.
  const left = valid ? { "cni.dev/valid-attachments": valid, "cni.dev/attachments": valid } : {};
  return {
    verb,
    env: environment(verb, binDirs),
    stdin: JSON.stringify({ ...plugin.json, name: network, cniVersion: version, ...left }),
  };
}

/** Plugins of old look at variables that VERSION has no use for. */
export function versionInvocation(version: string): Invocation {
  return {
    verb: "VERSION",
    env: { ...environment("VERSION", ["dummy"]), CNI_NETNS: "dummy", CNI_IFNAME: "dummy" },
    stdin: JSON.stringify({ cniVersion: version }),
  };
}

function environment(verb: Verb, binDirs: readonly string[]): Readonly<Record<string, string>> {
  return { PATH: PROGRAMS, CNI_COMMAND: verb, CNI_PATH: binDirs.join(":") };
}

/** What the plugin says it can use of what there is. */
function runtimeConfigOf({ capabilities }: PluginConfig, args: JsonObject): JsonObject | undefined {
  const used = capabilities.flatMap((key) => {
    const value = Object.hasOwn(args, key) ? args[key] : undefined;
    return value === undefined ? [] : [[key, value] as const];
  });
  return used.length === 0 ? undefined : Object.fromEntries(used);
}
