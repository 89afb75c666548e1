import { timingSafeEqual } from "node:crypto";
import { ApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import { SECRETS } from "#kube/resources";

/** What the cluster says of a bootstrap token; `why` is a sentence for the node that showed it. */
export type BootstrapVerdict =
  | { readonly kind: "good"; readonly groups: readonly string[] }
  | { readonly kind: "bad"; readonly why: string };

/** Looks up Secret kube-system/bootstrap-token-<id>. A wrong secret and an unknown id get the same answer. */
export async function checkBootstrapToken(
  client: KubeClient,
  token: { id: string; secret: string },
  now: number,
): Promise<BootstrapVerdict> {
  const data = await readToken(client, token.id);
  const unknown = `bootstrap token ${token.id} is unknown: it was never made here, or has expired; create one on a server: twill token create`;
  if (!data || !sameText(data["token-secret"] ?? "", token.secret)) return { kind: "bad", why: unknown };
  const expiration = data["expiration"];
  if (expiration !== undefined && !(Date.parse(expiration) > now)) {
    return {
      kind: "bad",
      why: `bootstrap token ${token.id} expired at ${expiration}; create another on a server: twill token create`,
    };
  }
  if (data["usage-bootstrap-authentication"] !== "true") {
    return {
      kind: "bad",
      why: `bootstrap token ${token.id} may not be used to join (usage-bootstrap-authentication is not "true")`,
    };
  }
  const groups = (data["auth-extra-groups"] ?? "").split(",").filter((group) => group !== "");
  return { kind: "good", groups: ["system:bootstrappers", ...groups] };
}

async function readToken(client: KubeClient, id: string): Promise<Record<string, string> | undefined> {
  try {
    const secret = await client.get(SECRETS, { namespace: "kube-system", name: `bootstrap-token-${id}` });
    if (secret.type !== "bootstrap.kubernetes.io/token") return undefined;
    const entries = Object.entries(secret.data ?? {});
    return Object.fromEntries(entries.map(([key, value]) => [key, Buffer.from(value, "base64").toString()]));
  } catch (error) {
    if (error instanceof ApiFault && error.code === "NotFound") return undefined;
    throw error;
  }
}

export function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
