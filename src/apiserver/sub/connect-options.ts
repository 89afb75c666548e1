import type { JsonObject } from "../json.ts";
import type { Call } from "../verbs/call.ts";

const KINDS: Readonly<Record<string, string>> = {
  exec: "PodExecOptions",
  attach: "PodAttachOptions",
  portforward: "PodPortForwardOptions",
  proxy: "PodProxyOptions",
};

/** What a connection is asked for, as an object: what admission sees of it. */
export function connectOptions({ query, info }: Pick<Call, "query" | "info">): JsonObject {
  const flags = ["stdin", "stdout", "stderr", "tty"].filter(
    (name) => query.get(name) === "true" || query.get(name) === "1",
  );
  const [container, path] = [query.get("container"), query.get("path")];
  const [command, ports] = [
    query.getAll("command"),
    query.getAll("ports").flatMap((text) => text.split(",")),
  ];
  return {
    kind: KINDS[info.subresource ?? ""] ?? "",
    apiVersion: "v1",
    ...Object.fromEntries(flags.map((name) => [name, true])),
    ...(container === null ? {} : { container }),
    ...(command.length === 0 ? {} : { command }),
    ...(ports.length === 0 ? {} : { ports: ports.map(Number) }),
    ...(path === null ? {} : { path }),
  };
}
