import type { Certified } from "./certificate.ts";
import { ALGORITHM, importPair, serialNumber, x509 } from "./certificate.ts";

export interface SigningOrder {
  /** PKCS#10, DER: its key, subject and alternative names go into the certificate. */
  readonly request: Uint8Array;
  /** As certificates.k8s.io names them. */
  readonly usages: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const SUBJECT_ALT_NAME = "2.5.29.17";

/** Bits of the key usage extension, in the order RFC 5280 4.2.1.3 gives them. */
const KEY_USAGES: Readonly<Record<string, number>> = {
  signing: 1,
  "digital signature": 1,
  "content commitment": 2,
  "key encipherment": 4,
  "data encipherment": 8,
  "key agreement": 16,
  "cert sign": 32,
  "crl sign": 64,
  "encipher only": 128,
  "decipher only": 256,
};

/** RFC 5280 4.2.1.12, and the two that only old browsers knew. */
const EXTENDED_USAGES: Readonly<Record<string, string>> = {
  any: "2.5.29.37.0",
  "server auth": "1.3.6.1.5.5.7.3.1",
  "client auth": "1.3.6.1.5.5.7.3.2",
  "code signing": "1.3.6.1.5.5.7.3.3",
  "email protection": "1.3.6.1.5.5.7.3.4",
  "s/mime": "1.3.6.1.5.5.7.3.4",
  "ipsec end system": "1.3.6.1.5.5.7.3.5",
  "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
  "ipsec user": "1.3.6.1.5.5.7.3.7",
  timestamping: "1.3.6.1.5.5.7.3.8",
  "ocsp signing": "1.3.6.1.5.5.7.3.9",
  "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
  "netscape sgc": "2.16.840.1.113730.4.1",
};

/** The certificate that a request asks for, as PEM, without its issuer's. It never outlives the authority, and is never one itself. */
export async function signRequest(authority: Certified, order: SigningOrder): Promise<string> {
  const lib = await x509();
  const issuer = new lib.X509Certificate(authority.certPem);
  const request = new lib.Pkcs10CertificateRequest(Buffer.from(order.request));
  const pair = await importPair(authority.keyPem);
  const names = request.getExtension(SUBJECT_ALT_NAME);
  const flags = order.usages.reduce((all, usage) => all | (KEY_USAGES[usage] ?? 0), 0);
  const extended = order.usages.flatMap((usage) => EXTENDED_USAGES[usage] ?? []);
  const certificate = await lib.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: request.subjectName,
    issuer: issuer.subjectName,
    notBefore: order.notBefore,
    notAfter: new Date(Math.min(order.notAfter.getTime(), issuer.notAfter.getTime())),
    publicKey: request.publicKey,
    signingKey: pair.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new lib.BasicConstraintsExtension(false, undefined, true),
      ...(flags === 0 ? [] : [new lib.KeyUsagesExtension(flags, true)]),
      ...(extended.length === 0 ? [] : [new lib.ExtendedKeyUsageExtension(extended)]),
      await lib.AuthorityKeyIdentifierExtension.create(issuer),
      ...(names === null ? [] : [names]),
    ],
  });
  return `${certificate.toString("pem")}\n`;
}
