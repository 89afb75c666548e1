import { timingSafeEqual } from "node:crypto";
import type { Secret } from "#kube/generated/types";
import { SECRETS } from "#kube/resources";
import type { Clock } from "#life/clock";
import type { World } from "../cache/world.ts";
import type { User } from "./user.ts";

const TYPE = "bootstrap.kubernetes.io/token";
const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const GROUP = "system:bootstrappers";
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Whose token `id.secret` is: Secret kube-system/bootstrap-token-ID says so, for as long as it exists and has not expired.
 *  @see kubernetes plugin/pkg/auth/authenticator/token/bootstrap */
export function bootstrapUser(
  token: string,
  { world, clock }: { world: World; clock: Clock },
): User | undefined {
  const [, id = "", secret = ""] = TOKEN.exec(token) ?? [];
  if (id === "") return undefined;
  const found = world.read(SECRETS, "kube-system", `bootstrap-token-${id}`);
  if (found === undefined || !isGood(found, { id, secret, now: clock.now() })) return undefined;
  const extra = textOf(found, "auth-extra-groups")
    .split(",")
    .filter((group) => group !== "");
  if (!extra.every((group) => EXTRA_GROUP.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [...new Set([GROUP, ...extra])].sort() };
}

function isGood(found: Secret, { id, secret, now }: { id: string; secret: string; now: number }): boolean {
  if (found.type !== TYPE || found.metadata.deletionTimestamp !== undefined) return false;
  if (!sameText(textOf(found, "token-secret"), secret) || textOf(found, "token-id") !== id) return false;
  const expiration = textOf(found, "expiration");
  // One that cannot be read has passed.
  if (expiration !== "" && !(Date.parse(expiration) > now)) return false;
  return textOf(found, "usage-bootstrap-authentication") === "true";
}

function textOf({ data }: Secret, key: string): string {
  return Buffer.from(data?.[key] ?? "", "base64").toString("utf8");
}

/** Whether two texts are the same, in a time that does not tell how much of them is. */
export function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
