import { PluginError } from "./plugin-error.ts";

/** What `CNI_ARGS` wishes for. */
export interface Arguments {
  readonly mac: string | undefined;
  readonly ips: readonly string[];
}

/** Ours, and those that Kubernetes' runtimes pass along. */
const KNOWN = [
  "MAC",
  "IP",
  "IgnoreUnknown",
  "K8S_POD_NAMESPACE",
  "K8S_POD_NAME",
  "K8S_POD_INFRA_CONTAINER_ID",
  "K8S_POD_UID",
];

/** Reads `K=V;K2=V2`; `IP` may name one address a family, with a comma between. @throws {PluginError} */
export function readArguments(text: string): Arguments {
  const values = new Map<string, string>();
  for (const pair of text.split(";").filter((each) => each !== "")) {
    const equals = pair.indexOf("=");
    if (equals < 1) throw new PluginError("badEnvironment", `ARGS: invalid pair ${JSON.stringify(pair)}`);
    values.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  const unknown = [...values.keys()].filter((key) => !KNOWN.includes(key));
  if (unknown.length > 0 && !isTrue(values.get("IgnoreUnknown")))
    throw new PluginError("badEnvironment", `ARGS: unknown args ${JSON.stringify(unknown)}`);
  const ips = values.get("IP")?.split(",") ?? [];
  return { mac: values.get("MAC") || undefined, ips: ips.filter((ip) => ip !== "") };
}

function isTrue(text = ""): boolean {
  return ["1", "true"].includes(text.toLowerCase());
}
