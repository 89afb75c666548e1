import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { isObject, type JsonObject, textAt } from "../json.ts";

/** PEM. A public key's file may hold several, one after the other. */
export interface KeyFiles {
  readonly privateKey: string;
  /** What tokens are checked with; the private key's own half need not be among them. */
  readonly publicKey: string;
}

interface PublicKey {
  readonly id: string;
  readonly key: KeyObject;
  readonly algorithm: Algorithm;
}

type Algorithm = "RS256" | "ES256" | "ES384" | "ES512";
const HASH: Readonly<Record<Algorithm, string>> = {
  RS256: "sha256",
  ES256: "sha256",
  ES384: "sha384",
  ES512: "sha512",
};
const CURVES: Readonly<Record<string, Algorithm>> = {
  prime256v1: "ES256",
  secp384r1: "ES384",
  secp521r1: "ES512",
};
const PUBLIC_PEM =
  /-----BEGIN (?:RSA )?(?:PUBLIC|EC PUBLIC) KEY-----[\s\S]+?-----END (?:RSA )?(?:PUBLIC|EC PUBLIC) KEY-----/g;
/** No token of ours is nearly as long; what is longer is not even looked at. */
const LONGEST_TOKEN = 64 * 1024;

/** One key that signs and all keys whose signatures are good, so that a new key can take over while tokens of the old one are about. */
export class SigningKeys {
  readonly #private: KeyObject;
  readonly #own: PublicKey;
  readonly #all: readonly PublicKey[];

  /** @throws {Error} for a key that cannot be read, or is neither RSA nor on a NIST curve */
  constructor({ privateKey, publicKey }: KeyFiles) {
    this.#private = createPrivateKey(privateKey);
    this.#own = publicKeyOf(createPublicKey(this.#private));
    const others = (publicKey.match(PUBLIC_PEM) ?? []).map((pem) => publicKeyOf(createPublicKey(pem)));
    this.#all = [this.#own, ...others.filter(({ id }) => id !== this.#own.id)];
  }

  get algorithms(): readonly string[] {
    return [...new Set(this.#all.map(({ algorithm }) => algorithm))];
  }

  /** A signed JWT of these claims. */
  sign(claims: object): string {
    const { algorithm, id } = this.#own;
    const body = `${encode({ alg: algorithm, kid: id })}.${encode(claims)}`;
    const signature = sign(HASH[algorithm], Buffer.from(body), {
      key: this.#private,
      dsaEncoding: "ieee-p1363",
    });
    return `${body}.${signature.toString("base64url")}`;
  }

  /** The claims of a JWT that one of the keys has signed; undefined for everything else, however broken. The algorithm is the key's: what the token says
   *  of it must agree. */
  open(token: string): JsonObject | undefined {
    if (token.length > LONGEST_TOKEN) return undefined;
    const [head = "", body = "", signature = "", ...rest] = token.split(".");
    if (rest.length > 0 || signature === "") return undefined;
    const header = decode(head);
    const id = textAt(header, "kid");
    const candidates = this.#all.filter((key) => id === undefined || key.id === id);
    const bytes = Buffer.from(signature, "base64url");
    // Another text of the same bytes is not the token that was given out.
    if (bytes.toString("base64url") !== signature) return undefined;
    const isGood = candidates.some(
      ({ key, algorithm }) =>
        textAt(header, "alg") === algorithm &&
        verify(HASH[algorithm], Buffer.from(`${head}.${body}`), { key, dsaEncoding: "ieee-p1363" }, bytes),
    );
    return isGood ? decode(body) : undefined;
  }

  /** The public keys as a JSON web key set. */
  keySet(): object {
    return {
      keys: this.#all.map(({ key, id, algorithm }) => ({
        use: "sig",
        ...key.export({ format: "jwk" }),
        kid: id,
        alg: algorithm,
      })),
    };
  }
}

function publicKeyOf(key: KeyObject): PublicKey {
  const der = key.export({ type: "spki", format: "der" });
  const id = createHash("sha256").update(der).digest("base64url");
  const curve = key.asymmetricKeyDetails?.namedCurve ?? "";
  const algorithm = key.asymmetricKeyType === "rsa" ? "RS256" : CURVES[curve];
  if (algorithm === undefined)
    throw new Error(`cannot sign tokens with a key of type ${key.asymmetricKeyType} ${curve}`);
  return { id, key, algorithm };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(part: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
