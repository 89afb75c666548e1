import type { CertificateSigningRequest } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import { CERTIFICATE_SIGNING_REQUESTS } from "#kube/resources";
import type { CertificateRequest } from "#kube/x509/certificate-request";
import { type ControllerContext, openQueue } from "../context.ts";
import { hasCondition, requestIn, withCondition } from "./conditions.ts";
import { KUBELET_CLIENT_SIGNER, refuseKubeletClient } from "./signers.ts";

const WORST_BACKOFF_MS = 1000_000;

interface Recognizer {
  /** A subresource that exists for roles to name. */
  readonly permission: "selfnodeclient" | "nodeclient";
  readonly message: string;
  readonly isMeant: (request: CertificateSigningRequest, asked: CertificateRequest) => boolean;
}

const RECOGNIZERS: readonly Recognizer[] = [
  {
    permission: "selfnodeclient",
    message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
    isMeant: ({ spec }, { commonName }) => spec.username === commonName,
  },
  {
    permission: "nodeclient",
    message: "Auto approving kubelet client certificate after SubjectAccessReview.",
    isMeant: () => true,
  },
];

/** Nodes' client certificates are approved when roles let their askers have them. @see kubernetes pkg/controller/certificates/approver */
export function runCertificateApprover(context: ControllerContext): void {
  const { signingRequests } = context.informers;
  const queue = openQueue(context, "certificate-approver", {
    workers: 1,
    maxMs: WORST_BACKOFF_MS,
    work: async (name) => {
      const request = signingRequests.get(name);
      if (request !== undefined) await approve(context, request);
      return undefined;
    },
  });
  signingRequests.subscribe((change) => {
    if (change.type !== "removed") queue.add(change.key);
  });
}

async function approve(context: ControllerContext, request: CertificateSigningRequest): Promise<void> {
  const { spec, metadata, status } = request;
  if (spec.signerName !== KUBELET_CLIENT_SIGNER || status?.certificate) return;
  if (hasCondition(request, "Approved", "Denied", "Failed")) return;
  const asked = requestIn(request);
  if (refuseKubeletClient(asked, spec.usages ?? []) !== undefined) return;
  const meant = RECOGNIZERS.filter(({ isMeant }) => isMeant(request, asked));
  for (const { permission, message } of meant) {
    if (!(await isAllowed(context, request, permission))) continue;
    const approved = withCondition(request, { type: "Approved", reason: "AutoApproved", message });
    await context.client.replace(CERTIFICATE_SIGNING_REQUESTS, approved, { subresource: "approval" });
    return;
  }
  // Tried again, later each time: the role may come after the request.
  throw new Error(
    `recognized csr ${JSON.stringify(metadata.name)} as [${meant.map(({ permission }) => permission).join(" ")}] but subject access review was not approved`,
  );
}

interface AccessReview extends KubeObject {
  readonly spec: object;
  readonly status?: { readonly allowed: boolean };
}

const ACCESS_REVIEWS: Resource<AccessReview> = {
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SubjectAccessReview",
  plural: "subjectaccessreviews",
  namespaced: false,
};

async function isAllowed(
  { client }: ControllerContext,
  { spec }: CertificateSigningRequest,
  permission: string,
): Promise<boolean> {
  const { username, uid, groups, extra } = spec;
  const review = await client.create(ACCESS_REVIEWS, {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    metadata: { name: "" },
    spec: {
      user: username,
      uid,
      groups,
      extra,
      resourceAttributes: {
        group: "certificates.k8s.io",
        resource: "certificatesigningrequests",
        subresource: permission,
        verb: "create",
        version: "*",
      },
    },
  });
  return review.status?.allowed === true;
}
