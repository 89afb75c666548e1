import { X509Certificate } from "node:crypto";
import { explain } from "#fault/fault";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "#kube/generated/types";
import { CERTIFICATE_SIGNING_REQUESTS } from "#kube/resources";
import { ticks } from "#life/clock";
import type { ControllerContext } from "../context.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Requests that are done with, or that nobody has minded for a day, are removed every hour. @see kubernetes pkg/controller/certificates/cleaner */
export async function runCertificateCleaner(context: ControllerContext): Promise<void> {
  const { client, clock, signal, log, informers } = context;
  for await (const _ of ticks(clock, HOUR_MS, { signal })) {
    for (const request of informers.signingRequests.list().filter((each) => isStale(each, clock.now()))) {
      const { name, uid } = request.metadata;
      try {
        await client.delete(CERTIFICATE_SIGNING_REQUESTS, { name }, uid === undefined ? {} : { uid });
      } catch (error) {
        log.warn("could not remove an old certificate signing request", { name, error: explain(error) });
      }
    }
  }
}

export function isStale(request: CertificateSigningRequest, now: number): boolean {
  const { metadata, status } = request;
  const since = (type: string) => {
    const found = (status?.conditions ?? []).find((condition) => condition.type === type);
    return found === undefined ? undefined : now - timeOf(found);
  };
  const [approved, denied, failed] = [since("Approved"), since("Denied"), since("Failed")];
  if (status?.certificate) return (approved ?? 0) > HOUR_MS || hasRunOut(status.certificate, now);
  if (denied !== undefined || failed !== undefined) return (denied ?? 0) > HOUR_MS || (failed ?? 0) > HOUR_MS;
  if (approved !== undefined) return approved > DAY_MS;
  return now - Date.parse(metadata.creationTimestamp ?? "") > DAY_MS;
}

function timeOf({ lastUpdateTime, lastTransitionTime }: CertificateSigningRequestCondition): number {
  return Date.parse(lastUpdateTime ?? lastTransitionTime ?? "");
}

function hasRunOut(base64: string, now: number): boolean {
  try {
    return new X509Certificate(Buffer.from(base64, "base64")).validToDate.getTime() < now;
  } catch {
    // Somebody else's signer wrote something that we cannot read: not ours to judge.
    return false;
  }
}
