import { createHash } from "node:crypto";
import type { Secret } from "#kube/generated/types";
import type { RegistryAuth } from "../runtime/runtime.ts";

const DEFAULT_REGISTRY = "index.docker.io";

/** What a registry may be told, and which secret says so. */
export interface Credential {
  readonly auth: RegistryAuth;
  /** By the names that records of pulled images have. */
  readonly source: SecretSource;
}

export interface SecretSource {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Of what it says of this registry. */
  readonly credentialHash: string;
}

interface Entry extends Credential {
  /** Host and path, such as `registry.example.com/team`; hosts may hold `*`. */
  readonly key: string;
}

/** The credentials among these secrets that an image's registry may take, the most specific first. What cannot be read is left out.
 *  @see credentialprovider/keyring.go in kubernetes */
export function credentialsFor(repository: string, secrets: readonly Secret[]): readonly Credential[] {
  const entries = secrets.flatMap(entriesOf).sort((a, b) => (a.key < b.key ? 1 : a.key > b.key ? -1 : 0));
  const matching = entries.filter(({ key }) => covers(key, repository));
  const standing =
    matching.length === 0 && repository.startsWith("docker.io/")
      ? entries.filter(({ key }) => key === DEFAULT_REGISTRY)
      : matching;
  return standing.map(({ auth, source }) => ({ auth, source }));
}

function entriesOf(secret: Secret): readonly Entry[] {
  const { type, data = {} } = secret;
  const [json, old] = [data[".dockerconfigjson"], data[".dockercfg"]];
  if (type === "kubernetes.io/dockerconfigjson" && json !== undefined)
    return entries(objectOf(objectOf(parse(json))["auths"]), secret);
  if (type === "kubernetes.io/dockercfg" && old !== undefined) return entries(objectOf(parse(old)), secret);
  return [];
}

function entries(auths: Readonly<Record<string, unknown>>, { metadata }: Secret): readonly Entry[] {
  return Object.entries(auths).flatMap(([location, value]) => {
    const key = keyOf(location);
    if (key === undefined) return [];
    const auth = authOf(objectOf(value));
    const credentialHash = createHash("sha256").update(JSON.stringify(auth)).digest("hex");
    const { uid = "", namespace = "", name = "" } = metadata;
    return [{ key, auth, source: { uid, namespace, name, credentialHash } }];
  });
}

/** Old clients wrote whole addresses, with the version of the registry's protocol behind them. */
function keyOf(location: string): string | undefined {
  const text = /^https?:\/\//.test(location) ? location : `https://${location}`;
  const match = /^https?:\/\/([^/?#]+)([^?#]*)/.exec(text);
  if (!match?.[1]) return undefined;
  const path = (match[2] ?? "").replace(/^\/v[12](?=\/)/, "");
  return path === "" || path === "/" ? match[1] : match[1] + path;
}

/** Without the registry's address, as from kubelets: containerd takes a host with a port for no address at all. */
function authOf(entry: Readonly<Record<string, unknown>>): RegistryAuth {
  const [user, secret] = userOf(entry);
  const identityToken = textOf(entry["identitytoken"]);
  const registryToken = textOf(entry["registrytoken"]);
  return {
    ...(user === undefined ? {} : { username: user }),
    ...(secret === undefined ? {} : { password: secret }),
    ...(identityToken === undefined ? {} : { identityToken }),
    ...(registryToken === undefined ? {} : { registryToken }),
  };
}

/** `auth` goes before the two names, as it is what logging in writes. */
function userOf(entry: Readonly<Record<string, unknown>>): readonly [string | undefined, string | undefined] {
  const pair = Buffer.from(textOf(entry["auth"]) ?? "", "base64").toString("utf8");
  const colon = pair.indexOf(":");
  if (colon > 0) return [pair.slice(0, colon), pair.slice(colon + 1).replace(/\0+$/, "")];
  return [textOf(entry["username"]), textOf(entry["password"])];
}

function covers(key: string, repository: string): boolean {
  const [wantedHost, wantedPath] = split(key);
  const [host, path] = split(repository);
  const [wantedName = "", wantedPort] = wantedHost.split(":");
  const [name = "", port] = host.split(":");
  if (wantedPort !== port || !path.startsWith(wantedPath)) return false;
  const [patterns, parts] = [wantedName.split("."), name.split(".")];
  return patterns.length === parts.length && patterns.every((pattern, i) => glob(pattern, parts[i] ?? ""));
}

function split(key: string): readonly [host: string, path: string] {
  const slash = key.indexOf("/");
  return slash < 0 ? [key, ""] : [key.slice(0, slash), key.slice(slash)];
}

function glob(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(text);
}

function parse(base64: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64, "base64").toString("utf8"));
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
