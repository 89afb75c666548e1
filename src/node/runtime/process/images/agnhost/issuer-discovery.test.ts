import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { describe, test } from "node:test";
import { verifyToken } from "./issuer-discovery.ts";

const ISSUER = "https://kubernetes.default.svc";
const now = Math.floor(Date.now() / 1000);
const good = { iss: ISSUER, aud: ["me"], exp: now + 60, nbf: now - 60 };

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

const PAIRS = {
  RS256: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
};

describe("test-service-account-issuer-discovery", () => {
  for (const [alg, { privateKey, publicKey }] of Object.entries(PAIRS)) {
    const issue = (claims: object, kid = "k") => {
      const text = `${encode({ alg, kid })}.${encode(claims)}`;
      const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
      return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
    };
    const fetcher = async (url: URL) =>
      url.pathname === "/openid/v1/jwks"
        ? { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k" }] }
        : { issuer: ISSUER, jwks_uri: `${ISSUER}/openid/v1/jwks` };
    const rows: readonly [name: string, token: string, refusal: RegExp | undefined][] = [
      ["good", issue(good), undefined],
      ["for another", issue({ ...good, aud: ["them"] }), /not for me/],
      ["over", issue({ ...good, exp: now - 1 }), /not in its time/],
      ["of another key", issue(good, "other"), /has no key other/],
      ["changed", issue(good).replace(/\.[^.]+\./, `.${encode({ ...good, sub: "x" })}.`), /signature/],
    ];
    for (const [name, token, refusal] of rows)
      test(`${alg}: ${name}`, async () => {
        const verified = verifyToken(token, "me", fetcher);
        if (refusal === undefined) assert.equal((await verified)["iss"], ISSUER);
        else await assert.rejects(verified, refusal);
      });
  }
});
