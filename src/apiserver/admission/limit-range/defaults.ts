import type { LimitRange } from "#kube/generated/types";
import type { Draft } from "../../kinds/kind.ts";

const ANNOTATION = "kubernetes.io/limit-ranger";

type Amounts = Readonly<Record<string, string>>;

/** Gives containers the requests and limits that the namespace's ranges have for those who say none, and notes on the pod what was given. */
export function giveDefaults(pod: Draft, ranges: readonly LimitRange[]): void {
  const given = ranges.flatMap((range) => giveFrom(pod, range));
  if (given.length === 0) return;
  pod.metadata.annotations ??= {};
  pod.metadata.annotations[ANNOTATION] = `LimitRanger plugin set: ${given.join("; ")}`;
}

function giveFrom(pod: Draft, { spec }: LimitRange): readonly string[] {
  const items = (spec?.limits ?? []).filter(({ type }) => type === "Container");
  const defaults = {
    requests: Object.assign({}, ...items.map(({ defaultRequest }) => defaultRequest)) as Amounts,
    limits: Object.assign({}, ...items.map((item) => item.default)) as Amounts,
  };
  return [
    ...(pod.spec?.containers ?? []).flatMap((one: Draft) => giveTo(one, "container", defaults)),
    ...(pod.spec?.initContainers ?? []).flatMap((one: Draft) => giveTo(one, "init container", defaults)),
  ];
}

function giveTo(
  container: Draft,
  what: string,
  defaults: { readonly requests: Amounts; readonly limits: Amounts },
): readonly string[] {
  container.resources ??= {};
  const said = (field: "requests" | "limits", word: string) => {
    const names = fill(container.resources, field, defaults[field]);
    return names.length === 0 ? [] : [`${names.join(", ")} ${word} for ${what} ${container.name}`];
  };
  return [...said("requests", "request"), ...said("limits", "limit")];
}

/** The names that were missing, in order. */
function fill(resources: Draft, field: string, defaults: Amounts): readonly string[] {
  const missing = Object.keys(defaults)
    .filter((name) => resources[field]?.[name] === undefined)
    .sort();
  if (missing.length > 0) resources[field] ??= {};
  for (const name of missing) resources[field][name] = defaults[name];
  return missing;
}
