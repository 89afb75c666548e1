import type { Volume } from "#kube/generated/types";

/** A file of a volume, and what makes it (nothing where a volume has one maker only). */
interface FileOf {
  readonly path: string;
  readonly source: string;
}

/** Files of one volume that stand in each other's way: the same path, or a file where another one needs a folder. */
export function pathWarnings(volumes: readonly Volume[]): readonly string[] {
  return volumes.flatMap(({ name, configMap, secret, downwardAPI, projected }) => {
    const say = (made: string, files: readonly FileOf[]) =>
      overlaps(files).map((what) => `volume ${quote(name)} (${made}): overlapping paths: ${what}`);
    const sources = projected?.sources ?? [];
    return [
      ...say(`ConfigMap ${quote(configMap?.name ?? "")}`, filesOf(configMap?.items, "")),
      ...say(`Secret ${quote(secret?.secretName ?? "")}`, filesOf(secret?.items, "")),
      ...say("DownwardAPI", filesOf(downwardAPI?.items, "")),
      ...sources
        .filter((source) => Object.values(source).every((one) => one === undefined))
        .map(() => `volume ${quote(name)} (Projected) has no sources provided`),
      ...say("Projected", sources.flatMap(projectedFiles)),
    ];
  });
}

type Projection = NonNullable<NonNullable<Volume["projected"]>["sources"]>[number];

function projectedFiles({
  configMap,
  secret,
  downwardAPI,
  serviceAccountToken,
}: Projection): readonly FileOf[] {
  if (configMap?.items) return filesOf(configMap.items, `ConfigMap ${quote(configMap.name ?? "")}`);
  if (secret?.items) return filesOf(secret.items, `Secret ${quote(secret.name ?? "")}`);
  if (downwardAPI?.items) return filesOf(downwardAPI.items, "DownwardAPI");
  return serviceAccountToken ? [{ path: serviceAccountToken.path, source: "ServiceAccountToken" }] : [];
}

function filesOf(items: readonly { readonly path: string }[] | undefined, source: string): readonly FileOf[] {
  return (items ?? []).map(({ path }) => ({ path, source }));
}

function overlaps(files: readonly FileOf[]): readonly string[] {
  const seen: FileOf[] = [];
  return files.flatMap((file) => {
    const one = { ...file, path: file.path.replace(/\/+$/, "") };
    const met = one.path === "" ? [] : seen.filter(({ path }) => meet(one.path, path));
    seen.push(one);
    return met.map((other) => `${textOf(one)} with ${textOf(other)}`);
  });
}

function meet(a: string, b: string): boolean {
  return b !== "" && (a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`));
}

function textOf({ path, source }: FileOf): string {
  return source === "" ? quote(path) : `${quote(path)} (${source})`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
