import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { Fault } from "#fault/fault";
import { bad, contentOf, type Der, partsOf, readBits, readDer, readOid, readText, TAG } from "./der.ts";

/** What a PKCS#10 request asks a certificate to say. */
export interface CertificateRequest {
  readonly der: Buffer;
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  readonly uris: readonly string[];
  /** SPKI. */
  readonly publicKeyDer: Buffer;
}

const COMMON_NAME = "2.5.4.3";
const ORGANIZATION = "2.5.4.10";
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const SUBJECT_ALT_NAME = "2.5.29.17";
const ATTRIBUTES_TAG = 0xa0;
const PEM = /^-----BEGIN ([^-\n]+)-----\s*([A-Za-z0-9+/=\s]*)-----END \1-----/m;
const LONGEST_PEM = 256 * 1024;

/** Reads a PEM request whose signature shows that its sender has the key it is about. @throws {Fault} BadRequest, BadDer */
export function readCertificateRequest(pem: string): CertificateRequest {
  const [, type, body = ""] = (pem.length > LONGEST_PEM ? undefined : PEM.exec(pem)) ?? [];
  if (type !== "CERTIFICATE REQUEST")
    throw new Fault("BadRequest", "PEM block type must be CERTIFICATE REQUEST");
  const der = Buffer.from(body.replace(/\s/g, ""), "base64");
  try {
    return decodeRequest(der);
  } catch (error) {
    if (error instanceof Fault) throw error;
    // A pair of bytes too few in some string, a key that OpenSSL does not read.
    throw bad(error instanceof Error ? error.message : String(error));
  }
}

function decodeRequest(der: Buffer): CertificateRequest {
  const [whole, ...more] = readDer(der);
  if (more.length > 0) throw bad("trailing data");
  const [info, algorithm, signature] = partsOf(whole, TAG.sequence);
  const [version, subject, key, ...rest] = partsOf(info, TAG.sequence);
  contentOf(version, TAG.integer);
  if (info === undefined || key === undefined) throw bad("truncated");
  const publicKey = createPublicKey({ key: key.whole, format: "der", type: "spki" });
  checkSignature(publicKey, { algorithm, signed: info.whole, signature: readBits(signature) });
  const names = readSubject(subject);
  return {
    der,
    commonName: names.get(COMMON_NAME)?.at(-1) ?? "",
    organizations: names.get(ORGANIZATION) ?? [],
    ...readAltNames(altNamesIn(rest.find(({ tag }) => tag === ATTRIBUTES_TAG))),
    publicKeyDer: key.whole,
  };
}

const HASHES: Readonly<Record<string, string | null>> = {
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  // Ed25519 hashes by itself.
  "1.3.101.112": null,
};

function checkSignature(
  key: KeyObject,
  { algorithm, signed, signature }: { algorithm: Der | undefined; signed: Buffer; signature: Buffer },
): void {
  const hash = HASHES[readOid(partsOf(algorithm, TAG.sequence)[0])];
  if (hash === undefined)
    throw new Fault("BadRequest", "x509: cannot verify signature: algorithm unimplemented");
  if (!verify(hash, signed, key, signature))
    throw new Fault("BadRequest", "x509: certificate request signature does not match its key");
}

/** Every value of every attribute of a name, by the attribute's identifier. */
function readSubject(subject: Der | undefined): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, string[]>();
  for (const set of partsOf(subject, TAG.sequence))
    for (const pair of partsOf(set, TAG.set)) {
      const [type, value] = partsOf(pair, TAG.sequence);
      const id = readOid(type);
      out.set(id, [...(out.get(id) ?? []), readText(value)]);
    }
  return out;
}

/** The alternative names among the extensions that a request asks for. */
function altNamesIn(attributes: Der | undefined): readonly Der[] {
  for (const attribute of attributes === undefined ? [] : readDer(attributes.content)) {
    const [type, values] = partsOf(attribute, TAG.sequence);
    if (readOid(type) !== EXTENSION_REQUEST) continue;
    for (const extension of partsOf(partsOf(values, TAG.set)[0], TAG.sequence)) {
      const parts = partsOf(extension, TAG.sequence);
      if (readOid(parts[0]) !== SUBJECT_ALT_NAME) continue;
      return partsOf(readDer(contentOf(parts.at(-1), TAG.octetString))[0], TAG.sequence);
    }
  }
  return [];
}

function readAltNames(
  names: readonly Der[],
): Pick<CertificateRequest, "dnsNames" | "ipAddresses" | "emailAddresses" | "uris"> {
  const tagged = (tag: number) => names.filter((name) => name.tag === tag).map(({ content }) => content);
  const texts = (tag: number) => tagged(tag).map((content) => content.toString("latin1"));
  return {
    emailAddresses: texts(0x81),
    dnsNames: texts(0x82),
    uris: texts(0x86),
    ipAddresses: tagged(0x87).map(formatIp),
  };
}

function formatIp(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join(".");
  if (bytes.length !== 16) throw bad("an address of neither family");
  return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(":");
}
