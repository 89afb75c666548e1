import type { CommandWants } from "#kube/stream/command-session";
import type { JsonObject } from "../json.ts";
import { flag } from "../request/query.ts";
import type { Call } from "../verbs/call.ts";

const KINDS: Readonly<Record<string, string>> = {
  exec: "PodExecOptions",
  attach: "PodAttachOptions",
  portforward: "PodPortForwardOptions",
  proxy: "PodProxyOptions",
};

/** What a connection is asked for, as an object: what admission sees of it. */
export function connectOptions({ query, info }: Pick<Call, "query" | "info">): JsonObject {
  const flags = ["stdin", "stdout", "stderr", "tty"].filter((name) => flag(query, name));
  const [container, path] = [query.get("container"), query.get("path")];
  const [command, ports] = [query.getAll("command"), portsIn(query)];
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

function portsIn(query: URLSearchParams): readonly string[] {
  return query.getAll("ports").flatMap((text) => text.split(","));
}

export function wantsOf(query: URLSearchParams): CommandWants {
  return {
    stdin: flag(query, "stdin"),
    stdout: flag(query, "stdout"),
    stderr: flag(query, "stderr"),
    tty: flag(query, "tty"),
  };
}

/** The same for the kubelet: its own names for the parameters, in the order of their names. */
export function kubeletQuery(subresource: string, query: URLSearchParams): string {
  const out = new URLSearchParams();
  if (subresource === "portforward") {
    const ports = portsIn(query);
    if (ports.length > 0) out.set("port", ports.join(","));
    return String(out);
  }
  const { stdin, stdout, stderr, tty } = wantsOf(query);
  if (subresource === "exec") for (const word of query.getAll("command")) out.append("command", word);
  if (stderr) out.set("error", "1");
  if (stdin) out.set("input", "1");
  if (stdout) out.set("output", "1");
  if (tty) out.set("tty", "1");
  return String(out);
}
