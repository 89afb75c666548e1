import type { PodTemplateSpec } from "#kube/generated/types";
import { milliOf } from "#kube/quantity";

export const POD_TEMPLATE_HASH = "pod-template-hash";

const QUANTITIES = new Set(["limits", "requests", "overhead"]);
const SAFE = "bcdfghjklmnpqrstvwxz2456789";

/** Whether two templates ask for the same pod: absent and empty are the same, quantities compare by value, and the label
 *  that carries the hash does not count. This, not the hash, is what identifies a revision. */
export function isSameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return canonicalTemplate(a) === canonicalTemplate(b);
}

/** A short name for a template, made of characters that spell no words. Stable across restarts; any stable hash would do. */
export function hashTemplate(
  template: PodTemplateSpec | undefined,
  collisionCount: number | undefined,
): string {
  const text = canonicalTemplate(template) + (collisionCount ? `#${collisionCount}` : "");
  return safeEncode(String(fnv1a(text)));
}

/** Each character's code mod 27 picks a letter, as apimachinery's SafeEncodeString does. */
export function safeEncode(text: string): string {
  return Array.from(text, (char) => SAFE[char.charCodeAt(0) % SAFE.length]).join("");
}

export function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** JSON with sorted keys, without what is empty. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(canonical(value, "")) ?? "null";
}

/** The same value, the fields of its objects in the order in which Go writes a map. */
export function withSortedFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withSortedFields);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([field, part]) => [field, withSortedFields(part)]));
}

function canonicalTemplate(template: PodTemplateSpec | undefined): string {
  const { [POD_TEMPLATE_HASH]: _, ...labels } = template?.metadata?.labels ?? {};
  return canonicalJson({ ...template, metadata: { ...template?.metadata, labels } });
}

function canonical(value: unknown, key: string): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => canonical(item, ""));
  if (typeof value !== "object" || value === null) return value ?? undefined;
  const entries = Object.entries(value)
    .map(
      ([name, part]) => [name, QUANTITIES.has(key) ? milliOf(String(part)) : canonical(part, name)] as const,
    )
    .filter(([, part]) => part !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
