import type { CertificateSigningRequest } from "#kube/generated/types";
import { type CertificateRequest, readCertificateRequest } from "#kube/x509/certificate-request";

export function hasCondition({ status }: CertificateSigningRequest, ...types: readonly string[]): boolean {
  return (status?.conditions ?? []).some((condition) => types.includes(condition.type));
}

/** The status with one more condition, which holds. */
export function withCondition(
  request: CertificateSigningRequest,
  condition: { readonly type: string; readonly reason: string; readonly message: string },
): CertificateSigningRequest {
  const conditions = [...(request.status?.conditions ?? []), { ...condition, status: "True" }];
  return { ...request, status: { ...request.status, conditions } };
}

/** What is asked for. @throws {Fault} BadRequest, BadDer */
export function requestIn({ spec }: CertificateSigningRequest): CertificateRequest {
  return readCertificateRequest(Buffer.from(spec.request, "base64").toString("utf8"));
}
