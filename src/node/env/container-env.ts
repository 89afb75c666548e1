import { join } from "node:path";
import { Fault } from "#fault/fault";
import type { ConfigMap, Container, EnvVar, Pod, Secret } from "#kube/generated/types";
import { type DownwardFacts, fieldValue, resourceValue } from "./downward.ts";
import { readEnvFile } from "./env-file.ts";
import { expand } from "./expand.ts";

/** Everything a container's environment is made from. */
export interface EnvSources {
  readonly pod: Pod;
  readonly facts: DownwardFacts;
  readonly services: Readonly<Record<string, string>>;
  /** Undefined is "does not exist". */
  readonly configMap: (name: string) => ConfigMap | undefined;
  readonly secret: (name: string) => Secret | undefined;
  /** Volume name to folder. */
  readonly volumes: ReadonlyMap<string, string>;
}

export interface ContainerEnv {
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/** Environment, command and arguments of a container with every reference resolved. Weakest first: services, envFrom, env.
 *  @throws {Fault} "CreateContainerConfigError" for what is referred to and absent */
export function containerEnv(container: Container, sources: EnvSources): ContainerEnv {
  const env: Record<string, string> = { ...sources.services };
  for (const from of container.envFrom ?? []) {
    for (const [key, value] of Object.entries(envFrom(from, sources)))
      env[`${from.prefix ?? ""}${key}`] = value;
  }
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, container, sources, env);
    if (value !== undefined) env[variable.name] = value;
  }
  const expanded = (text: string) => expand(text, (name) => env[name]);
  return {
    env,
    command: (container.command ?? []).map(expanded),
    args: (container.args ?? []).map(expanded),
  };
}

function envFrom(
  { configMapRef, secretRef }: NonNullable<Container["envFrom"]>[number],
  sources: EnvSources,
): Readonly<Record<string, string>> {
  if (configMapRef) {
    const found = sources.configMap(configMapRef.name ?? "");
    if (!found && !configMapRef.optional) throw missing(`configmap "${configMapRef.name}" not found`);
    return found?.data ?? {};
  }
  if (!secretRef) return {};
  const found = sources.secret(secretRef.name ?? "");
  if (!found && !secretRef.optional) throw missing(`secret "${secretRef.name}" not found`);
  return Object.fromEntries(Object.entries(found?.data ?? {}).map(([key, value]) => [key, decode(value)]));
}

function variableValue(
  { name, value, valueFrom }: EnvVar,
  container: Container,
  sources: EnvSources,
  soFar: Readonly<Record<string, string>>,
): string | undefined {
  if (!valueFrom) return expand(value ?? "", (wanted) => soFar[wanted]);
  try {
    if (valueFrom.fieldRef) return fieldValue(sources.pod, valueFrom.fieldRef.fieldPath, sources.facts);
    if (valueFrom.resourceFieldRef) {
      const of = valueFrom.resourceFieldRef.containerName;
      const named = sources.pod.spec?.containers.find((other) => other.name === of);
      return resourceValue(named ?? container, valueFrom.resourceFieldRef, sources.facts);
    }
  } catch (error) {
    throw missing(error instanceof Error ? error.message : String(error));
  }
  if (valueFrom.configMapKeyRef) return configMapKey(valueFrom.configMapKeyRef, sources);
  if (valueFrom.secretKeyRef) return secretKey(valueFrom.secretKeyRef, sources);
  if (valueFrom.fileKeyRef) return fileKey(valueFrom.fileKeyRef, sources);
  throw missing(`the source of variable ${name} is not supported by this node`);
}

function configMapKey(
  { name = "", key, optional }: NonNullable<NonNullable<EnvVar["valueFrom"]>["configMapKeyRef"]>,
  { configMap, pod }: EnvSources,
): string | undefined {
  const found = configMap(name);
  const value = found?.data?.[key];
  if (value !== undefined || optional) return value;
  if (!found) throw missing(`configmap "${name}" not found`);
  throw missing(`couldn't find key ${key} in ConfigMap ${pod.metadata.namespace}/${name}`);
}

function secretKey(
  { name = "", key, optional }: NonNullable<NonNullable<EnvVar["valueFrom"]>["secretKeyRef"]>,
  { secret, pod }: EnvSources,
): string | undefined {
  const found = secret(name);
  const value = found?.data?.[key];
  if (value !== undefined) return decode(value);
  if (optional) return undefined;
  if (!found) throw missing(`secret "${name}" not found`);
  throw missing(`couldn't find key ${key} in Secret ${pod.metadata.namespace}/${name}`);
}

/** What a file sets to nothing counts as absent. */
function fileKey(
  { volumeName, path, key, optional }: NonNullable<NonNullable<EnvVar["valueFrom"]>["fileKeyRef"]>,
  { volumes }: EnvSources,
): string | undefined {
  const volume = volumes.get(volumeName);
  if (volume === undefined)
    throw missing(`cannot find the volume ${JSON.stringify(volumeName)} referenced by FileKeyRef`);
  let value = "";
  try {
    value = readEnvFile(volume, path, key);
  } catch (error) {
    throw new Fault("CreateContainerConfigError", "couldn't parse env file", { cause: error });
  }
  if (value !== "") return value;
  if (optional) return undefined;
  throw missing(
    `environment variable key ${JSON.stringify(key)} not found in file ${JSON.stringify(join(volume, path))}`,
  );
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}

function missing(message: string): Fault {
  return new Fault("CreateContainerConfigError", message);
}
