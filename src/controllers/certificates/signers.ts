import type { CertificateRequest } from "#kube/x509/certificate-request";
import type { CertificateOrder } from "./signer.ts";

export const KUBELET_CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet";

interface SignerRule {
  readonly authority: CertificateOrder["authority"];
  /** Why the signer does not sign this; undefined when it does. */
  readonly refuse: (request: CertificateRequest, usages: readonly string[]) => string | undefined;
}

/** The signers of a cluster, and what each of them signs. @see kubernetes pkg/controller/certificates/signer */
export const SIGNERS: Readonly<Record<string, SignerRule>> = {
  "kubernetes.io/kube-apiserver-client": { authority: "client", refuse: refuseClient },
  [KUBELET_CLIENT_SIGNER]: { authority: "client", refuse: refuseKubeletClient },
  "kubernetes.io/kubelet-serving": { authority: "server", refuse: refuseKubeletServing },
  "kubernetes.io/legacy-unknown": { authority: "server", refuse: () => undefined },
};

function refuseClient(_request: CertificateRequest, usages: readonly string[]): string | undefined {
  const allowed = ["digital signature", "key encipherment", "client auth"];
  const stray = usages.find((usage) => !allowed.includes(usage));
  if (stray !== undefined) return `invalid usage for client certificate: ${stray}`;
  return usages.includes("client auth")
    ? undefined
    : "missing required usage for client certificate: client auth";
}

/** Whether a request is for the client certificate of a node. */
export function refuseKubeletClient(
  request: CertificateRequest,
  usages: readonly string[],
): string | undefined {
  const { dnsNames, ipAddresses, emailAddresses, uris } = request;
  const why = refuseSubject(request);
  if (why !== undefined) return why;
  if (dnsNames.length > 0) return "DNS subjectAltNames are not allowed";
  if (emailAddresses.length > 0) return "Email subjectAltNames are not allowed";
  if (ipAddresses.length > 0) return "IP subjectAltNames are not allowed";
  if (uris.length > 0) return "URI subjectAltNames are not allowed";
  return refuseUsages(usages, "client auth");
}

function refuseKubeletServing(request: CertificateRequest, usages: readonly string[]): string | undefined {
  const { dnsNames, ipAddresses, emailAddresses, uris } = request;
  const why = refuseSubject(request);
  if (why !== undefined) return why;
  if (dnsNames.length + ipAddresses.length === 0) return "DNS or IP subjectAltName is required";
  if (emailAddresses.length > 0) return "Email subjectAltNames are not allowed";
  if (uris.length > 0) return "URI subjectAltNames are not allowed";
  return refuseUsages(usages, "server auth");
}

function refuseSubject({ commonName, organizations }: CertificateRequest): string | undefined {
  if (organizations.length !== 1 || organizations[0] !== "system:nodes")
    return "subject organization is not system:nodes";
  return commonName.startsWith("system:node:")
    ? undefined
    : "subject common name does not begin with system:node:";
}

/** With key encipherment or without: only RSA keys have a use for it. */
function refuseUsages(usages: readonly string[], auth: string): string | undefined {
  const required = ["digital signature", auth].sort();
  const given = [...new Set(usages)].filter((usage) => usage !== "key encipherment").sort();
  return given.join() === required.join()
    ? undefined
    : `usages did not match [${[...required, "key encipherment"].sort().join(" ")}]`;
}
