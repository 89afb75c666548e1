import type { CertificateSigningRequest } from "#kube/generated/types";
import { CERTIFICATE_SIGNING_REQUESTS } from "#kube/resources";
import { kindSpec } from "../base.ts";
import type { KindSpec } from "../kind.ts";
import { shortDuration } from "../print/age.ts";
import { ageColumn, nameColumn, printer, text } from "../print/printer.ts";
import { validateConditionChange, validateRequest, validateStatus } from "./validation.ts";

/** Who asks is written into the request by the server; after that only its status changes: decisions by `/approval`, the certificate by `/status`. */
export const certificateSigningRequests: KindSpec<CertificateSigningRequest> =
  kindSpec<CertificateSigningRequest>({
    resource: CERTIFICATE_SIGNING_REQUESTS,
    definition: "io.k8s.api.certificates.v1.CertificateSigningRequest",
    shortNames: ["csr"],
    hasStatus: true,
    nameRule: "path-segment",
    prepareCreate: (draft, { user }) => {
      const { name, uid, groups, extra } = user as typeof user & {
        readonly uid?: string;
        readonly extra?: Readonly<Record<string, readonly string[]>>;
      };
      draft.spec ??= {};
      draft.spec.username = name;
      draft.spec.groups = [...groups];
      if (uid === undefined) delete draft.spec.uid;
      else draft.spec.uid = uid;
      if (extra === undefined || Object.keys(extra).length === 0) delete draft.spec.extra;
      else draft.spec.extra = structuredClone(extra);
      draft.status = {};
    },
    prepareUpdate: (draft, stored) => {
      draft.spec = structuredClone(stored.spec);
      draft.status = structuredClone(stored.status);
    },
    validate: (request) => [...validateRequest(request), ...validateStatus(request)],
    validatePart: (part, request, stored) => [
      ...validateStatus(request),
      ...validateConditionChange(part, request, stored),
    ],
    selectableFields: ({ spec }) => ({ "spec.signerName": spec?.signerName ?? "" }),
    ...printer<CertificateSigningRequest>([
      nameColumn,
      ageColumn,
      text("SignerName", ({ spec }) => spec.signerName || "<none>"),
      text("Requestor", ({ spec }) => spec.username ?? ""),
      text("RequestedDuration", ({ spec }) =>
        spec.expirationSeconds === undefined ? "<none>" : shortDuration(spec.expirationSeconds * 1000),
      ),
      text("Condition", conditionText),
    ]),
  });

function conditionText({ status }: CertificateSigningRequest): string {
  const has = (type: string) => (status?.conditions ?? []).some((condition) => condition.type === type);
  const decision = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending";
  return [decision, ...(has("Failed") ? ["Failed"] : []), ...(status?.certificate ? ["Issued"] : [])].join(
    ",",
  );
}
