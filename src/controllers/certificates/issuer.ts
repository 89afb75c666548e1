import type { CertificateSigningRequest } from "#kube/generated/types";
import { CERTIFICATE_SIGNING_REQUESTS } from "#kube/resources";
import { type ControllerContext, openQueue } from "../context.ts";
import { hasCondition, requestIn, withCondition } from "./conditions.ts";
import type { CertificateSigner } from "./signer.ts";
import { SIGNERS } from "./signers.ts";

const YEAR_MS = 365 * 24 * 3_600_000;
const LEAST_MS = 600_000;
/** Clocks of those who check may be behind. */
const BACKDATE_MS = 5 * 60_000;
/** What lives less than this is given its whole life from now on. */
const SHORT_MS = 8 * 3_600_000;
const WORST_BACKOFF_MS = 1000_000;

/** Approved requests to the cluster's own signers are signed, if they are what the signer signs; else they are marked as failed.
 *  @see kubernetes pkg/controller/certificates/signer */
export function runCertificateIssuer(context: ControllerContext, signer: CertificateSigner): void {
  const { signingRequests } = context.informers;
  const queue = openQueue(context, "certificate-signer", {
    workers: 1,
    maxMs: WORST_BACKOFF_MS,
    work: async (name) => {
      const request = signingRequests.get(name);
      if (request !== undefined) await issue(context, signer, request);
      return undefined;
    },
  });
  signingRequests.subscribe((change) => {
    if (change.type !== "removed") queue.add(change.key);
  });
}

async function issue(
  { client, clock }: ControllerContext,
  signer: CertificateSigner,
  request: CertificateSigningRequest,
): Promise<void> {
  const { spec, status } = request;
  const rule = Object.hasOwn(SIGNERS, spec.signerName) ? SIGNERS[spec.signerName] : undefined;
  if (rule === undefined || status?.certificate) return;
  if (!hasCondition(request, "Approved") || hasCondition(request, "Denied", "Failed")) return;
  const asked = requestIn(request);
  const why = rule.refuse(asked, spec.usages ?? []);
  const write = (next: CertificateSigningRequest) =>
    client.replace(CERTIFICATE_SIGNING_REQUESTS, next, { subresource: "status" });
  if (why !== undefined) {
    await write(withCondition(request, { type: "Failed", reason: "SignerValidationFailure", message: why }));
    return;
  }
  const pem = await signer.sign({
    authority: rule.authority,
    request: asked.der,
    usages: spec.usages ?? [],
    ...lifeOf(spec.expirationSeconds, clock.now()),
  });
  await write({ ...request, status: { ...status, certificate: Buffer.from(pem).toString("base64") } });
}

/** From a little before now; a short life is not made shorter by that. */
export function lifeOf(
  expirationSeconds: number | undefined,
  now: number,
): { readonly notBefore: Date; readonly notAfter: Date } {
  const wanted = expirationSeconds === undefined ? YEAR_MS : expirationSeconds * 1000;
  const lives = Math.min(Math.max(wanted, LEAST_MS), YEAR_MS);
  const notBefore = now - BACKDATE_MS;
  return {
    notBefore: new Date(notBefore),
    notAfter: new Date(lives < SHORT_MS ? now + lives : notBefore + lives),
  };
}
