import type { PeerCertificate } from "node:tls";

/** Whether the holder of a client certificate may use the kubelet server: the API server or a cluster administrator. The chain
 *  was verified against the client CA before. */
export function isTrustedClient(certificate: Pick<PeerCertificate, "subject"> | undefined): boolean {
  const subject = certificate?.subject;
  if (!subject) return false;
  return names(subject.CN).includes("system:apiserver") || names(subject.O).includes("system:masters");
}

/** A name part that occurs several times comes as a list. */
function names(part: string | readonly string[] | undefined): readonly string[] {
  if (part === undefined) return [];
  return typeof part === "string" ? [part] : part;
}
