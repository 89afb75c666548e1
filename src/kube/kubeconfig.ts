import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { asError, Fault } from "#fault/fault";
import type { ClientOptions } from "./transport.ts";

type Connection = Omit<ClientOptions, "userAgent" | "clock">;

interface ClusterEntry {
  readonly server?: string;
  readonly "certificate-authority"?: string;
  readonly "certificate-authority-data"?: string;
}
interface UserEntry {
  readonly "client-certificate"?: string;
  readonly "client-certificate-data"?: string;
  readonly "client-key"?: string;
  readonly "client-key-data"?: string;
  readonly token?: string;
  readonly tokenFile?: string;
}
interface ContextEntry {
  readonly cluster?: string;
  readonly user?: string;
}
interface Kubeconfig {
  readonly "current-context"?: string;
  readonly contexts?: readonly { readonly name: string; readonly context?: ContextEntry }[];
  readonly clusters?: readonly { readonly name: string; readonly cluster?: ClusterEntry }[];
  readonly users?: readonly { readonly name: string; readonly user?: UserEntry }[];
}

/** What a kubeconfig's current context (or the named one) connects to. Files it points at are read, relative to `directory`.
 *  @throws {Fault} BadKubeconfig */
export function readKubeconfig(
  text: string,
  options: { directory?: string; context?: string } = {},
): Connection {
  const config = parseYaml(text);
  const contextName = options.context ?? config["current-context"];
  const context = config.contexts?.find(({ name }) => name === contextName)?.context;
  if (!context) return refuse(`no context ${JSON.stringify(contextName ?? "")}; set current-context`);
  const cluster = config.clusters?.find(({ name }) => name === context.cluster)?.cluster;
  if (!cluster?.server)
    return refuse(`cluster ${JSON.stringify(context.cluster ?? "")} has no server; add it under clusters`);
  const user = config.users?.find(({ name }) => name === context.user)?.user ?? {};
  const read = fileReader(options.directory ?? ".");
  return {
    server: cluster.server,
    ca: read(cluster["certificate-authority-data"], cluster["certificate-authority"]) ?? "",
    cert: read(user["client-certificate-data"], user["client-certificate"]),
    key: read(user["client-key-data"], user["client-key"]),
    token: user.token,
    tokenFile: user.tokenFile && resolve(options.directory ?? ".", user.tokenFile),
  };
}

/** Reads the kubeconfig at `path`, as KUBECONFIG names it. @throws {Fault} BadKubeconfig */
export function readKubeconfigFile(path: string): Connection {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Fault("BadKubeconfig", `Cannot read the kubeconfig ${path}: ${asError(error).message}`, {
      cause: error,
    });
  }
  return readKubeconfig(text, { directory: dirname(path) });
}

/** A kubeconfig with one cluster, one user and one context, all called `name`, credentials inline. */
export function formatKubeconfig(options: {
  readonly name?: string;
  readonly server: string;
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
}): string {
  const { name = "default", server, ca, cert, key, token } = options;
  const user = {
    ...(cert ? { "client-certificate-data": base64(cert) } : {}),
    ...(key ? { "client-key-data": base64(key) } : {}),
    ...(token ? { token } : {}),
  };
  return stringify(
    {
      apiVersion: "v1",
      clusters: [{ cluster: { "certificate-authority-data": base64(ca), server }, name }],
      contexts: [{ context: { cluster: name, user: name }, name }],
      "current-context": name,
      kind: "Config",
      preferences: {},
      users: [{ name, user }],
    },
    { lineWidth: 0 },
  );
}

function parseYaml(text: string): Kubeconfig {
  try {
    const config: unknown = parse(text);
    if (typeof config === "object" && config !== null) return config as Kubeconfig;
  } catch (error) {
    refuse(asError(error).message.split("\n")[0] ?? "");
  }
  return refuse("it is not a YAML mapping");
}

function fileReader(directory: string): (data?: string, path?: string) => string | undefined {
  return (data, path) => {
    if (data) return Buffer.from(data, "base64").toString("utf8");
    if (!path) return undefined;
    try {
      return readFileSync(resolve(directory, path), "utf8");
    } catch (error) {
      return refuse(asError(error).message);
    }
  };
}

function base64(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}

function refuse(why: string): never {
  throw new Fault("BadKubeconfig", `Cannot use the kubeconfig: ${why}`);
}
