import type { ConfigMap, Secret } from "#kube/generated/types";
import { CONFIG_MAPS, SECRETS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import { forbidden, invalid, problems, required, tooLong } from "../field/error.ts";
import type { Draft, FieldError, KindSpec } from "../kind.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { configKeyProblems } from "./config-key.ts";

/** All values of one ConfigMap or Secret together, in bytes. */
const MAX_BYTES = 1024 * 1024;

export const configMaps: KindSpec<ConfigMap> = kindSpec<ConfigMap>({
  resource: CONFIG_MAPS,
  definition: "io.k8s.api.core.v1.ConfigMap",
  shortNames: ["cm"],
  validate: validateConfigMap,
  validateUpdate: (object, stored) => immutable(object, stored, ["data", "binaryData"]),
  ...printer<ConfigMap>([nameColumn, text("Data", countKeys), ageColumn]),
});

export const secrets: KindSpec<Secret> = kindSpec<Secret>({
  resource: SECRETS,
  definition: "io.k8s.api.core.v1.Secret",
  defaults: defaultSecret,
  validate: validateSecret,
  validateUpdate: (object, stored) => [
    ...(object.type === stored.type ? [] : [invalid("type", object.type, "field is immutable")]),
    ...immutable(object, stored, ["data"]),
  ],
  selectableFields: (secret) => ({ type: secret.type ?? "" }),
  ...printer<Secret>([
    nameColumn,
    text("Type", (secret) => secret.type ?? ""),
    text("Data", (secret) => Object.keys(secret.data ?? {}).length),
    ageColumn,
  ]),
});

function countKeys(map: ConfigMap): number {
  return Object.keys(map.data ?? {}).length + Object.keys(map.binaryData ?? {}).length;
}

function validateConfigMap(map: ConfigMap): readonly FieldError[] {
  const data = Object.entries(map.data ?? {});
  const binary = Object.entries(map.binaryData ?? {});
  const bytes =
    data.reduce((sum, [, value]) => sum + Buffer.byteLength(value), 0) +
    binary.reduce((sum, [, value]) => sum + base64Bytes(value), 0);
  return [
    ...data.flatMap(([key]) => validateKey("data", key)),
    ...binary.flatMap(([key]) => validateKey("binaryData", key)),
    ...data
      .filter(([key]) => map.binaryData !== undefined && Object.hasOwn(map.binaryData, key))
      .map(([key]) => invalid(`data[${key}]`, key, "duplicate of key present in binaryData")),
    ...(bytes > MAX_BYTES ? [tooLong("", MAX_BYTES)] : []),
  ];
}

/** Merges stringData into data, where it is stored; it is never read back. */
function defaultSecret(draft: Draft): void {
  draft.type ||= "Opaque";
  if (draft.stringData === undefined) return;
  for (const [key, value] of Object.entries(draft.stringData ?? {})) {
    draft.data ??= {};
    draft.data[key] = Buffer.from(String(value)).toString("base64");
  }
  delete draft.stringData;
}

/** The keys that a Secret of each well-known type must have. */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};

function validateSecret(secret: Secret): readonly FieldError[] {
  const data = secret.data ?? {};
  const bytes = Object.values(data).reduce((sum, value) => sum + base64Bytes(value), 0);
  const missing = (REQUIRED_KEYS[secret.type ?? ""] ?? []).filter((key) => !Object.hasOwn(data, key));
  return [
    ...Object.keys(data).flatMap((key) => validateKey("data", key)),
    ...(bytes > MAX_BYTES ? [tooLong("data", MAX_BYTES)] : []),
    ...missing.map((key) => required(`data[${key}]`)),
    ...validateTokenOwner(secret),
    ...validateDocker(secret),
    ...validateBasicAuth(secret),
  ];
}

const DOCKER_KEYS: Readonly<Record<string, string>> = {
  "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
  "kubernetes.io/dockercfg": ".dockercfg",
};

/** Credentials of registries are a JSON object. */
function validateDocker({ type = "", data = {} }: Secret): readonly FieldError[] {
  const key = DOCKER_KEYS[type];
  const text = key === undefined ? undefined : data[key];
  if (text === undefined) return [];
  const refuse = (why: string) => [invalid(`data[${key}]`, "<secret contents redacted>", why)];
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64").toString("utf8"));
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? [] : refuse("json: cannot unmarshal into Go value of type map[string]interface {}");
  } catch {
    return refuse(text === "" ? "unexpected end of JSON input" : "invalid character in JSON text");
  }
}

function validateBasicAuth({ type, data = {} }: Secret): readonly FieldError[] {
  const keys = ["username", "password"];
  if (type !== "kubernetes.io/basic-auth" || keys.some((key) => Object.hasOwn(data, key))) return [];
  return keys.map((key) => required(`data[${key}]`));
}

function validateTokenOwner(secret: Secret): readonly FieldError[] {
  const annotation = "kubernetes.io/service-account.name";
  if (secret.type !== "kubernetes.io/service-account-token") return [];
  return secret.metadata.annotations?.[annotation] ? [] : [required(`metadata.annotations[${annotation}]`)];
}

function validateKey(path: string, key: string): readonly FieldError[] {
  return problems(`${path}[${key}]`, key, configKeyProblems(key));
}

/** What an object that once said `immutable: true` may no longer change. */
function immutable<T extends { readonly immutable?: boolean | undefined }>(
  object: T,
  stored: T,
  fields: readonly (keyof T & string)[],
): readonly FieldError[] {
  if (stored.immutable !== true) return [];
  const changed = fields.filter(
    (field) => JSON.stringify(sorted(object[field])) !== JSON.stringify(sorted(stored[field])),
  );
  const detail = "field is immutable when `immutable` is set";
  const unset = object.immutable === true ? [] : [forbidden("immutable", detail)];
  return [...unset, ...changed.map((field) => forbidden(field, detail))];
}

function sorted(value: unknown): readonly (readonly [string, unknown])[] {
  return Object.entries(value ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

function base64Bytes(text: string): number {
  return Math.floor((text.replace(/=+$/, "").length * 3) / 4);
}
