import type { Secret } from "#kube/generated/types";

const PREFIX = "bootstrap-token-";

/** What a bootstrap token's secret says in one of its fields; empty when it says nothing. */
export function fieldOf({ data }: Secret, key: string): string {
  return Buffer.from(data?.[key] ?? "", "base64").toString("utf8");
}

/** How long until the token ends, in milliseconds; undefined when it has no end. One that cannot be read has passed. */
export function timeLeft(secret: Secret, now: number): number | undefined {
  const text = fieldOf(secret, "expiration");
  if (text === "") return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : at - now;
}

/** A token that may sign: its id and its secret. */
export function signingToken(
  secret: Secret,
  now: number,
): { readonly id: string; readonly secret: string } | undefined {
  const [id, key] = [fieldOf(secret, "token-id"), fieldOf(secret, "token-secret")];
  const isNamed = secret.metadata.name === `${PREFIX}${id}` && key !== "";
  const isGood = fieldOf(secret, "usage-bootstrap-signing") === "true" && (timeLeft(secret, now) ?? 1) > 0;
  return isNamed && isGood ? { id, secret: key } : undefined;
}
