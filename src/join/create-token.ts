import { randomInt } from "node:crypto";
import type { KubeClient } from "#kube/client";
import { SECRETS } from "#kube/resources";
import { caHashOf } from "./token.ts";

const LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789";

/** Makes a bootstrap token that lets nodes join until it expires; returns it with the cluster's CA pinned.
 *  @param ttlMs 0 for no end */
export async function createBootstrapToken(
  client: KubeClient,
  options: { caPem: string; ttlMs: number; now: number },
): Promise<string> {
  const [id, secret] = [randomText(6), randomText(16)];
  const fields: Record<string, string> = {
    "token-id": id,
    "token-secret": secret,
    "usage-bootstrap-authentication": "true",
    "usage-bootstrap-signing": "true",
    "auth-extra-groups": "system:bootstrappers:k3s:default-node-token",
    ...(options.ttlMs > 0
      ? { expiration: new Date(options.now + options.ttlMs).toISOString().replace(/\.\d+Z$/, "Z") }
      : {}),
  };
  await client.create(SECRETS, {
    metadata: { namespace: "kube-system", name: `bootstrap-token-${id}` },
    type: "bootstrap.kubernetes.io/token",
    data: Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
    ),
  });
  return `K10${caHashOf(options.caPem)}::${id}.${secret}`;
}

function randomText(length: number): string {
  return Array.from({ length }, () => LETTERS[randomInt(LETTERS.length)]).join("");
}
