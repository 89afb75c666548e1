/** X.509 as a K3s cluster uses it: P-256 keys, ten-year authorities, one-year leaves. The library is loaded at first use,
 *  because a node that restarts with valid certificates never needs it. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
  type X509Certificate,
} from "node:crypto";
import { isIp } from "#addr/ip";
import { Fault } from "#fault/fault";

export interface KeyPair {
  /** PKCS#8 PEM. */
  readonly keyPem: string;
}

export interface Certified extends KeyPair {
  /** The leaf, then its issuers, as PEM. */
  readonly certPem: string;
}

export interface LeafRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  /** DNS names and IP addresses, for a serving certificate. */
  readonly sans?: readonly string[];
  readonly usage: "client" | "server";
}

/** How every authority signs. */
export const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Clocks of joining machines may be behind ours. */
const BACKDATE_MS = 3600 * 1000;

/** The library, loaded at first use. */
export async function x509() {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

/** Loads what making certificates needs, so that it is there by the time they are asked for. */
export async function prepareCertificates(): Promise<void> {
  await x509();
}

export function createKey(): KeyPair {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  return { keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

/** A self-signed authority called `name`. */
export async function createAuthority(name: string, now: number): Promise<Certified> {
  const lib = await x509();
  const key = createKey();
  const certificate = await lib.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    keys: await importPair(key.keyPem),
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + 10 * YEAR_MS),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new lib.BasicConstraintsExtension(true, undefined, true),
      new lib.KeyUsagesExtension(
        lib.KeyUsageFlags.digitalSignature |
          lib.KeyUsageFlags.keyEncipherment |
          lib.KeyUsageFlags.keyCertSign,
        true,
      ),
    ],
  });
  return { ...key, certPem: `${certificate.toString("pem")}\n` };
}

/** A certificate for the public key in `publicKeyDer` (SPKI), signed by `authority` and followed by its certificate. */
export async function issueCertificate(
  authority: Certified,
  request: LeafRequest,
  options: { publicKeyDer: Uint8Array; now: number },
): Promise<string> {
  const lib = await x509();
  const issuer = new lib.X509Certificate(authority.certPem);
  const pair = await importPair(authority.keyPem);
  const publicKey = await webcrypto.subtle.importKey(
    "spki",
    Buffer.from(options.publicKeyDer),
    ALGORITHM,
    true,
    ["verify"],
  );
  const usage =
    request.usage === "client" ? lib.ExtendedKeyUsage.clientAuth : lib.ExtendedKeyUsage.serverAuth;
  const sans = (request.sans ?? []).map((san) => ({
    type: isIp(san) ? ("ip" as const) : ("dns" as const),
    value: san,
  }));
  const certificate = await lib.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [...(request.organizations ?? []).map((o) => ({ O: [o] })), { CN: [request.commonName] }],
    issuer: issuer.subjectName,
    notBefore: new Date(options.now - BACKDATE_MS),
    notAfter: new Date(options.now + YEAR_MS),
    publicKey,
    signingKey: pair.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new lib.KeyUsagesExtension(
        lib.KeyUsageFlags.digitalSignature | lib.KeyUsageFlags.keyEncipherment,
        true,
      ),
      new lib.ExtendedKeyUsageExtension([usage]),
      await lib.AuthorityKeyIdentifierExtension.create(issuer),
      ...(sans.length > 0 ? [new lib.SubjectAlternativeNameExtension(sans)] : []),
    ],
  });
  return `${certificate.toString("pem")}\n${authority.certPem}`;
}

/** A fresh key and a certificate for it. */
export async function issuePair(authority: Certified, request: LeafRequest, now: number): Promise<Certified> {
  const key = createKey();
  return {
    ...key,
    certPem: await issueCertificate(authority, request, { publicKeyDer: spkiOf(key.keyPem), now }),
  };
}

/** A PKCS#10 request for the key, as DER: what a joining node posts. The key itself never leaves the node. */
export async function createRequest(key: KeyPair, commonName: string): Promise<Uint8Array> {
  const lib = await x509();
  const request = await lib.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [commonName] }],
    keys: await importPair(key.keyPem),
    signingAlgorithm: ALGORITHM,
  });
  return new Uint8Array(request.rawData);
}

/** The public key (SPKI DER) of a request whose signature proves its sender holds the private one. @throws {Fault} BadRequest */
export async function readRequest(der: Uint8Array): Promise<Uint8Array> {
  const lib = await x509();
  try {
    const request = new lib.Pkcs10CertificateRequest(Buffer.from(der));
    if (await request.verify()) return new Uint8Array(request.publicKey.rawData);
  } catch (cause) {
    throw new Fault(
      "BadRequest",
      "Cannot read the certificate request: expected PKCS#10 as DER with a P-256 key",
      { cause },
    );
  }
  throw new Fault(
    "BadRequest",
    "Cannot accept the certificate request: its signature does not match its key",
  );
}

/** Whether a serving certificate is good for every one of these names and addresses. */
export function coversNames(leaf: X509Certificate, sans: readonly string[]): boolean {
  return sans.every((san) => (isIp(san) ? leaf.checkIP(san) : leaf.checkHost(san)) !== undefined);
}

export function spkiOf(keyPem: string): Uint8Array {
  return createPublicKey(createPrivateKey(keyPem)).export({ type: "spki", format: "der" });
}

/** A key as the library takes it. */
export async function importPair(keyPem: string): Promise<webcrypto.CryptoKeyPair> {
  const key = createPrivateKey(keyPem);
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return {
    privateKey: await webcrypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, true, ["sign"]),
    publicKey: await webcrypto.subtle.importKey("spki", spki, ALGORITHM, true, ["verify"]),
  };
}

/** Positive and never starting with a zero byte, as DER wants it. */
export function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString("hex");
}
