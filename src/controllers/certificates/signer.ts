/** What makes certificates: kept by whoever holds the authorities' keys. */
export interface CertificateSigner {
  /** A PEM certificate for the key and the names of a PKCS#10 request (DER). */
  sign(wanted: CertificateOrder): Promise<string>;
}

export interface CertificateOrder {
  readonly authority: "client" | "server";
  /** PKCS#10, DER: its key, its subject and its alternative names go into the certificate. */
  readonly request: Uint8Array;
  /** As certificates.k8s.io names them: `client auth`, `digital signature`, ... */
  readonly usages: readonly string[];
  readonly notBefore: Date;
  /** Cut to the authority's own end. */
  readonly notAfter: Date;
}
