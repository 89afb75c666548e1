import { parse } from "yaml";
import { explain, Fault } from "#fault/fault";
import { renderToml, type TomlTable } from "./toml.ts";

/** What `/etc/rancher/k3s/registries.yaml` comes to: a `hosts.toml` for each registry, and credentials for the config itself. */
export interface Registries {
  /** Folder name below `certs.d` to the text of its `hosts.toml`. */
  readonly hosts: ReadonlyMap<string, string>;
  /** Of `registry.configs` in the CRI's section. */
  readonly configs: TomlTable;
  /** What the file asks for and containerd does not do. */
  readonly warnings: readonly string[];
}

export const NO_REGISTRIES: Registries = { hosts: new Map(), configs: {}, warnings: [] };

type Fields = Readonly<Record<string, unknown>>;

interface Endpoint {
  readonly url: URL;
  readonly tls: Fields;
}

/** For every registry that has no entry of its own. */
const ANY = "*";
const DEFAULT_FOLDER = "_default";
const DOCKER = ["docker.io", "https://registry-1.docker.io"] as const;

/** Reads K3s's file: `mirrors` (registry to `endpoint`) and `configs` (host to `auth` and `tls`).
 *  @throws {Fault} "BadRegistries" naming what is wrong @see docs.k3s.io "Private Registry Configuration" */
export function readRegistries(text: string, path: string): Registries {
  try {
    const file = fields(parse(text) ?? {}, "the file");
    const [mirrors, configs] = [
      fields(file["mirrors"] ?? {}, "mirrors"),
      fields(file["configs"] ?? {}, "configs"),
    ];
    const names = new Set([
      ...Object.keys(mirrors),
      ...Object.keys(configs).filter((name) => hasTls(configs[name])),
    ]);
    const hosts = [...names].map((name) => {
      const mirror = fields(mirrors[name] ?? {}, `mirrors: ${name}`);
      return [name === ANY ? DEFAULT_FOLDER : folderOf(name), hostsFile(name, mirror, configs)] as const;
    });
    return { hosts: new Map(hosts), configs: authsOf(configs), warnings: rewrites(mirrors) };
  } catch (error) {
    throw new Fault("BadRegistries", `Cannot use ${path}: ${explain(error)}`, { cause: error });
  }
}

function hostsFile(name: string, mirror: Fields, configs: Fields): string {
  const endpoints = list(mirror["endpoint"] ?? [], `mirrors: ${name}: endpoint`).map((text) =>
    endpointOf(text, configs),
  );
  const server = name === ANY ? undefined : endpointOf(serverOf(name), configs);
  const host = Object.fromEntries(endpoints.map(({ url, tls }) => [urlText(url), hostTable(tls, url)]));
  return renderToml({
    ...(server === undefined ? {} : { server: urlText(server.url), ...tlsTable(server.tls) }),
    host,
  });
}

/** @see containerd docs/hosts.md */
function hostTable(tls: Fields, { pathname }: URL): TomlTable {
  return {
    capabilities: ["pull", "resolve"],
    ...(pathname === "/" || pathname === "/v2" ? {} : { override_path: true }),
    ...tlsTable(tls),
  };
}

function tlsTable(tls: Fields): TomlTable {
  const [ca, cert, key] = ["ca_file", "cert_file", "key_file"].map((name) => text(tls[name], name));
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { client: key === undefined ? cert : [[cert, key]] }),
    ...(tls["insecure_skip_verify"] === true ? { skip_verify: true } : {}),
  };
}

/** K3s's containerd knows this field, others do not. */
function rewrites(mirrors: Fields): readonly string[] {
  const names = Object.keys(mirrors).filter((name) =>
    Object.hasOwn(fields(mirrors[name] ?? {}, name), "rewrite"),
  );
  return names.map(
    (name) => `mirrors: ${name}: rewrite is not supported by containerd; images keep their names`,
  );
}

function authsOf(configs: Fields): TomlTable {
  return Object.fromEntries(
    Object.entries(configs).flatMap(([name, value]) => {
      const auth = fields(fields(value, `configs: ${name}`)["auth"] ?? {}, `configs: ${name}: auth`);
      const known = {
        username: "username",
        password: "password",
        auth: "auth",
        identity_token: "identitytoken",
      };
      const table = Object.entries(known).map(([from, to]) => [to, text(auth[from], from)] as const);
      const given = table.filter(([, value]) => value !== undefined);
      const host = new URL(endpointText(serverOf(name))).host; // The one that containerd looks for.
      return given.length > 0 ? [[host, { auth: Object.fromEntries(given) }]] : [];
    }),
  );
}

function endpointOf(name: string, configs: Fields): Endpoint {
  const url = new URL(endpointText(name));
  const config = fields(
    configs[name] ?? configs[url.host] ?? configs[url.origin] ?? configs[ANY] ?? {},
    `configs: ${name}`,
  );
  return { url, tls: fields(config["tls"] ?? {}, `configs: ${name}: tls`) };
}

/** Without a scheme a registry is spoken to by TLS, but for one on this machine. */
function endpointText(name: string): string {
  if (/^https?:\/\//.test(name)) return name;
  return `${/^(?:localhost|127\.|\[::1\])/.test(name) ? "http" : "https"}://${name}`;
}

function serverOf(name: string): string {
  return name === DOCKER[0] ? DOCKER[1] : name;
}

/** containerd asks at `/v2` by itself where no path is given. */
function urlText(url: URL): string {
  return url.pathname === "/" ? `${url.origin}/v2` : url.href.replace(/\/$/, "");
}

function folderOf(name: string): string {
  const { host } = new URL(endpointText(name));
  return host;
}

function hasTls(config: unknown): boolean {
  return typeof config === "object" && config !== null && "tls" in config;
}

function fields(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Error(`${what}: expected names and values`);
}

function list(value: unknown, what: string): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw new Error(`${what}: expected a list of addresses`);
}

function text(value: unknown, what: string): string | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new Error(`${what}: expected a text`);
}
