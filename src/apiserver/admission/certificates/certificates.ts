import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "#kube/generated/types";
import { readCertificateRequest } from "#kube/x509/certificate-request";
import type { Admission, AdmissionRequest } from "../../admit.ts";
import type { Authorizer } from "../../auth/authorize.ts";
import { sameJson } from "../../kinds/field/same.ts";
import type { WriteContext } from "../../kinds/kind.ts";
import { forbidden } from "../../status.ts";
import { formatTime } from "../../verbs/metadata.ts";

const CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client";
const MASTERS = "system:masters";

/** The parts of admission that certificate signing requests have to themselves: who may decide and who may sign, for each signer.
 *  @see kubernetes plugin/pkg/admission/certificates */
export function certificateAdmission(authorizer: Pick<Authorizer, "decide">): readonly Admission[] {
  return [
    {
      name: "CertificateApproval",
      mutate: stampConditions,
      validate: (request, context) => {
        if (!isUpdateOf(request, "approval")) return;
        const { signerName } = (request.stored as CertificateSigningRequest).spec;
        if (!maySign(authorizer, context, { verb: "approve", signerName }))
          refuse(
            request,
            `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`,
          );
      },
    },
    {
      name: "CertificateSigning",
      validate: (request, context) => {
        if (!isUpdateOf(request, "status")) return;
        const stored = request.stored as CertificateSigningRequest;
        const next: CertificateSigningRequest = request.draft;
        const isSame =
          stored.status?.certificate === next.status?.certificate &&
          sameJson(stored.status?.conditions ?? [], next.status?.conditions ?? []);
        if (isSame || maySign(authorizer, context, { verb: "sign", signerName: stored.spec.signerName }))
          return;
        refuse(
          request,
          `user not permitted to sign requests with signerName ${JSON.stringify(stored.spec.signerName)}`,
        );
      },
    },
    { name: "CertificateSubjectRestriction", validate: refuseMasters },
  ];
}

function isUpdateOf({ spec, operation, subresource }: AdmissionRequest, wanted: string): boolean {
  return (
    spec.resource.kind === "CertificateSigningRequest" && operation === "update" && subresource === wanted
  );
}

/** The verb on the signer itself, or on all signers of its domain. */
function maySign(
  authorizer: Pick<Authorizer, "decide">,
  { user }: WriteContext,
  { verb, signerName }: { readonly verb: string; readonly signerName: string },
): boolean {
  const attributes = {
    verb,
    group: "certificates.k8s.io",
    plural: "signers",
    subresource: undefined,
    namespace: undefined,
  };
  return [signerName, `${signerName.split("/")[0]}/*`].some(
    (name) => authorizer.decide(user, { ...attributes, name }).allowed,
  );
}

/** Nobody becomes a master by way of a certificate. */
function refuseMasters(request: AdmissionRequest): void {
  if (request.spec.resource.kind !== "CertificateSigningRequest" || request.operation !== "create") return;
  const { spec }: CertificateSigningRequest = request.draft;
  if (spec.signerName !== CLIENT_SIGNER) return;
  const { organizations } = readCertificateRequest(Buffer.from(spec.request, "base64").toString("utf8"));
  if (organizations.includes(MASTERS))
    refuse(request, `use of ${CLIENT_SIGNER} signer with ${MASTERS} group is not allowed`);
}

function refuse({ spec, name }: AdmissionRequest, why: string): never {
  throw forbidden(spec.resource, name, why);
}

/** Conditions say when they were set, whoever sets them. */
function stampConditions(request: AdmissionRequest, { clock }: WriteContext): void {
  if (!isUpdateOf(request, "approval") && !isUpdateOf(request, "status")) return;
  const stored = request.stored as CertificateSigningRequest;
  const now = formatTime(clock.now());
  const draft = request.draft;
  if (!Array.isArray(draft.status?.conditions)) return;
  draft.status.conditions = draft.status.conditions.map((condition: CertificateSigningRequestCondition) => {
    const before = stored.status?.conditions?.find(({ type }) => type === condition.type);
    const changedAt = before?.status === condition.status ? before?.lastTransitionTime : undefined;
    return {
      ...condition,
      lastUpdateTime: condition.lastUpdateTime ?? now,
      lastTransitionTime: condition.lastTransitionTime ?? changedAt ?? now,
    };
  });
}
