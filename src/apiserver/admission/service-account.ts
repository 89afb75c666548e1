import type { Pod, ServiceAccount } from "#kube/generated/types";
import { SERVICE_ACCOUNTS } from "#kube/resources";
import type { Admission, AdmissionRequest } from "../admit.ts";
import { podReferences } from "../auth/pod-references.ts";
import type { Draft, WriteContext } from "../kinds/kind.ts";
import { forbidden } from "../status.ts";
import { unnamedSecret } from "./mountable-secrets.ts";

const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX = "kube-api-access-";
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
/** One hour and seven seconds: the length that marks a token as asked for here and not by a user. */
const TOKEN_SECONDS = 3607;

/** Gives each new pod a service account and, unless it opted out, a volume with that account's token.
 *
 *  The account `default` may be missing still: a pod can arrive right behind its new namespace, before the controller has made the account. Such a
 *  pod is let in as if the account were there and empty (which is how the controller makes it), so that nobody has to wait here; the node asks for
 *  the token again until the account exists. Any other missing account refuses the pod. */
export function serviceAccount(suffix: () => string): Admission {
  return {
    name: "ServiceAccount",
    mutate: (request, context) => {
      if (!isNewPod(request)) return;
      if (isMirror(request.draft)) return refuseMirror(request);
      const spec: Draft = request.draft.spec ?? {};
      spec.serviceAccountName ||= "default";
      spec.serviceAccount = spec.serviceAccountName;
      const account = findAccount(request, spec.serviceAccountName, context);
      refuseSecrets(request, account);
      if (account?.imagePullSecrets?.length && !spec.imagePullSecrets?.length)
        spec.imagePullSecrets = account.imagePullSecrets.map((secret) => ({ ...secret }));
      if (spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true)
        mountToken(spec, suffix);
    },
  };
}

export function isNewPod({ operation, spec, subresource }: AdmissionRequest): boolean {
  return (
    operation === "create" &&
    spec.resource.plural === "pods" &&
    spec.resource.group === "" &&
    subresource === undefined
  );
}

export function isMirror(pod: Pod): boolean {
  return pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined;
}

/** A mirror pod says what runs already: it must not lead its node to anything. @throws {StatusFault} Forbidden */
function refuseMirror({ spec, name, draft }: AdmissionRequest): void {
  const pod: Pod = draft;
  const refuse = (what: string) => {
    throw forbidden(spec.resource, name, `a mirror pod may not ${what}`);
  };
  if (pod.spec?.serviceAccountName) refuse("reference service accounts");
  const { annotations: _mirror, ...metadata } = pod.metadata;
  if (podReferences({ ...pod, metadata }).some(({ kind }) => kind === "secret")) refuse("reference secrets");
  const sources = (pod.spec?.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  if (sources.some(({ serviceAccountToken }) => serviceAccountToken !== undefined))
    refuse("use ServiceAccountToken volume projections");
}

function findAccount(
  { spec, namespace = "", name: pod }: AdmissionRequest,
  name: string,
  context: WriteContext,
): ServiceAccount | undefined {
  const account = context.read(SERVICE_ACCOUNTS, namespace, name);
  if (account !== undefined || name === "default") return account;
  const why = `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`;
  throw forbidden(spec.resource, pod, why);
}

/** @throws {StatusFault} Forbidden */
function refuseSecrets({ spec, name, draft }: AdmissionRequest, account: ServiceAccount | undefined): void {
  const why = account === undefined ? undefined : unnamedSecret(draft, account);
  if (why !== undefined) throw forbidden(spec.resource, name, why);
}

function mountToken(spec: Draft, suffix: () => string): void {
  const own = (spec.volumes ?? []).find((volume: Draft) => volume.name?.startsWith(VOLUME_PREFIX));
  const name: string = own?.name ?? `${VOLUME_PREFIX}${suffix()}`;
  const lacking = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].filter(
    (container: Draft) =>
      !(container.volumeMounts ?? []).some((mount: Draft) => mount.mountPath === MOUNT_PATH),
  );
  for (const container of lacking) {
    container.volumeMounts ??= [];
    container.volumeMounts.push({ name, readOnly: true, mountPath: MOUNT_PATH });
  }
  if (lacking.length === 0 || own !== undefined) return;
  spec.volumes = [...(spec.volumes ?? []), { name, projected: tokenSources() }];
}

function tokenSources(): object {
  const namespaceField = { apiVersion: "v1", fieldPath: "metadata.namespace" };
  return {
    sources: [
      { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      { downwardAPI: { items: [{ path: "namespace", fieldRef: namespaceField }] } },
    ],
    defaultMode: 0o644,
  };
}
