import { X509Certificate } from "node:crypto";

/** What is wrong with a bundle of certificates (base64 of PEM); undefined when it is fine. */
export function bundleProblem(bundle: string): string | undefined {
  const blocks = Buffer.from(bundle, "base64")
    .toString("utf8")
    .match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (blocks === null) return "unable to load root certificates: unable to parse bytes as PEM block";
  try {
    for (const block of blocks) new X509Certificate(block);
    return undefined;
  } catch (error) {
    return `unable to load root certificates: failed to parse certificate: ${error instanceof Error ? error.message : String(error)}`;
  }
}
