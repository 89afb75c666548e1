import type { LabelSelector, PodSpec } from "#kube/generated/types";

export const NONE = "<none>";

/** The words joined by commas, or `<none>`. */
export function joined(words: readonly string[] | undefined): string {
  return words === undefined || words.length === 0 ? NONE : words.join(",");
}

/** A label map as `a=1,b=2` in key order, or `<none>`. */
export function mapText(map: Readonly<Record<string, string>> | undefined): string {
  return joined(
    Object.entries(map ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .sort(),
  );
}

const OPERATORS: Readonly<Record<string, (key: string, values: string) => string>> = {
  In: (key, values) => `${key} in (${values})`,
  NotIn: (key, values) => `${key} notin (${values})`,
  Exists: (key) => key,
  DoesNotExist: (key) => `!${key}`,
};

/** A label selector in the set syntax kubectl takes: `app=web,tier in (a,b)`; `<none>` when it selects everything or is absent. */
export function selectorText(selector: LabelSelector | undefined): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({
    key,
    text: `${key}=${value}`,
  }));
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values }) => ({
    key,
    text: OPERATORS[operator]?.(key, [...(values ?? [])].sort().join(",")) ?? "<error>",
  }));
  return joined([...labels, ...expressions].sort((a, b) => compare(a.key, b.key)).map(({ text }) => text));
}

export function containerNames(spec: PodSpec | undefined): string {
  return (spec?.containers ?? []).map(({ name }) => name).join(",");
}

export function containerImages(spec: PodSpec | undefined): string {
  return (spec?.containers ?? []).map(({ image }) => image ?? "").join(",");
}

/** The first `max` words, then how many more there are: `a,b,c + 2 more...`. */
export function someOf(words: readonly string[], max: number): string {
  const text = words.slice(0, max).join(",");
  return words.length > max ? `${text} + ${words.length - max} more...` : text;
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
