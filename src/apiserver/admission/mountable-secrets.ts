import type { Container, Pod, ServiceAccount } from "#kube/generated/types";
import { MOUNTABLE } from "../kinds/core/service-account.ts";

/** What Go reads as true. */
const TRUE = new Set(["1", "t", "T", "true", "TRUE", "True"]);

/** Why the pod may not use a secret of its, where its account lets it use only those that the account names. */
export function unnamedSecret({ spec }: Pod, account: ServiceAccount): string | undefined {
  if (!TRUE.has(account.metadata.annotations?.[MOUNTABLE] ?? "")) return undefined;
  const named = new Set((account.secrets ?? []).map(({ name }) => name));
  const pulls = new Set((account.imagePullSecrets ?? []).map(({ name }) => name));
  const owner = `service account ${account.metadata.name}`;
  const uses = [
    ...(spec?.volumes ?? []).flatMap(({ secret }) =>
      secret ? [{ what: "volume with", secret: secret.secretName ?? "" }] : [],
    ),
    ...(spec?.initContainers ?? []).flatMap((one) => usesOf("init container", one)),
    ...(spec?.containers ?? []).flatMap((one) => usesOf("container", one)),
  ];
  const bad = uses.find(({ secret }) => !named.has(secret));
  if (bad !== undefined)
    return `${bad.what} secret.secretName="${bad.secret}" is not allowed because ${owner} does not reference that secret`;
  const asked = (spec?.imagePullSecrets ?? []).map(({ name = "" }) => name);
  const i = asked.findIndex((name) => !pulls.has(name));
  if (i < 0) return undefined;
  return `imagePullSecrets[${i}].name="${asked[i]}" is not allowed because ${owner} does not reference that imagePullSecret`;
}

function usesOf(kind: string, { name, env = [], envFrom = [] }: Container) {
  return [
    ...env.flatMap((one) => {
      const ref = one.valueFrom?.secretKeyRef;
      return ref
        ? [{ what: `${kind} ${name} with envVar ${one.name} referencing`, secret: ref.name ?? "" }]
        : [];
    }),
    ...envFrom.flatMap(({ secretRef }) =>
      secretRef ? [{ what: `${kind} ${name} with envFrom referencing`, secret: secretRef.name ?? "" }] : [],
    ),
  ];
}
