import type { ControllerContext } from "../context.ts";
import { runCertificateApprover } from "./approver.ts";
import { runCertificateCleaner } from "./cleaner.ts";
import { runCertificateIssuer } from "./issuer.ts";

/** Attends to certificate signing requests; signs them only where somebody was given to sign with. */
export async function runCertificates(context: ControllerContext): Promise<void> {
  runCertificateApprover(context);
  if (context.certificates !== undefined) runCertificateIssuer(context, context.certificates);
  await runCertificateCleaner(context);
}
