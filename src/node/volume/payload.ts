import { Fault } from "#fault/fault";
import type { ConfigMap, DownwardAPIVolumeFile, KeyToPath, Pod, Secret } from "#kube/generated/types";
import { type DownwardFacts, fieldValue, resourceValue } from "../env/downward.ts";
import type { PayloadFile } from "./atomic-dir.ts";

export const DEFAULT_MODE = 0o644;

export interface Selection {
  readonly items?: readonly KeyToPath[] | undefined;
  readonly optional?: boolean | undefined;
  readonly mode: number;
}

type Files = ReadonlyMap<string, PayloadFile>;

/** The files of a configMap, or of the keys chosen from it. @throws {Fault} "FailedMount" */
export function configMapFiles(name: string, found: ConfigMap | undefined, selection: Selection): Files {
  if (!found && !selection.optional) throw new Fault("FailedMount", `configmap "${name}" not found`);
  const text = Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
  return choose("configmap", new Map([...text, ...decoded(found?.binaryData)]), selection);
}

export function secretFiles(name: string, found: Secret | undefined, selection: Selection): Files {
  if (!found && !selection.optional) throw new Fault("FailedMount", `secret "${name}" not found`);
  return choose("secret", decoded(found?.data), selection);
}

/** The files of a downward API volume, refreshed with the pod's labels and annotations. */
export function downwardFiles(
  items: readonly DownwardAPIVolumeFile[],
  { pod, facts, mode }: { pod: Pod; facts: DownwardFacts; mode: number },
): Files {
  return new Map(
    items.map(({ path, fieldRef, resourceFieldRef, mode: own }) => {
      const container = pod.spec?.containers.find(({ name }) => name === resourceFieldRef?.containerName);
      const text = resourceFieldRef
        ? resourceValue(container, resourceFieldRef, facts)
        : fieldValue(pod, fieldRef?.fieldPath ?? "", facts);
      return [safePath(path), { content: Buffer.from(text), mode: own ?? mode }];
    }),
  );
}

function decoded(map: Readonly<Record<string, string>> | undefined): ReadonlyMap<string, Buffer> {
  return new Map(Object.entries(map ?? {}).map(([key, value]) => [key, Buffer.from(value, "base64")]));
}

function choose(
  kind: "configmap" | "secret",
  all: ReadonlyMap<string, Buffer>,
  { items, optional, mode }: Selection,
): Files {
  if (!items) return new Map([...all].map(([key, content]) => [safePath(key), { content, mode }]));
  const chosen = new Map<string, PayloadFile>();
  for (const { key, path, mode: own } of items) {
    const content = all.get(key);
    if (content) chosen.set(safePath(path), { content, mode: own ?? mode });
    else if (!optional) throw new Fault("FailedMount", `${kind} references non-existent config key: ${key}`);
  }
  return chosen;
}

/** A path that stays in its volume. @throws {Fault} "FailedMount" */
export function safePath(path: string): string {
  const parts = path.split("/");
  if (path === "" || path.startsWith("/") || parts.includes("..") || path.startsWith(".."))
    throw new Fault("FailedMount", `invalid path ${JSON.stringify(path)}: must stay inside the volume`);
  return parts.filter((part) => part !== "" && part !== ".").join("/");
}
