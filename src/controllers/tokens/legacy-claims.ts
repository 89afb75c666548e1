import type { Secret, ServiceAccount } from "#kube/generated/types";

/** Makes a JWT of claims, with the key that signs service account tokens. */
export type SignToken = (claims: object) => string;

const LEGACY = "kubernetes.io/serviceaccount/";

/** What the token in a secret says: it has no end, and is good for as long as the secret holds it. */
export function legacyClaims(secret: Secret, account: ServiceAccount): object {
  const { namespace = "", name } = secret.metadata;
  return {
    iss: "kubernetes/serviceaccount",
    [`${LEGACY}namespace`]: namespace,
    [`${LEGACY}secret.name`]: name,
    [`${LEGACY}service-account.name`]: account.metadata.name,
    [`${LEGACY}service-account.uid`]: account.metadata.uid ?? "",
    sub: `system:serviceaccount:${namespace}:${account.metadata.name}`,
  };
}
