import { createPublicKey, type JsonWebKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { get } from "node:https";
import { Fault } from "#fault/fault";
import { type Fields, fieldsOf, listOf } from "./review-server.ts";
import { type Subcommand, say } from "./subcommand.ts";

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export const issuerDiscovery: Subcommand = {
  summary: "Checks a mounted token against what its issuer publishes",
  flags: [
    { name: "token-path", kind: "text", fallback: "", help: "The file with the token to check" },
    { name: "audience", kind: "text", fallback: "", help: "Whom the token has to be for" },
  ],
  async run({ flags }) {
    const token = readFileSync(flags.text("token-path"), "utf8").trim();
    const claims = await verifyToken(token, flags.text("audience"), openFetcher());
    say(`OK: the token is good: ${JSON.stringify(claims)}`);
    return 0;
  },
};

type Fetcher = (url: URL) => Promise<Fields>;

/** Asks as the pod's own service account, trusting the cluster's authority alone. */
function openFetcher(): Fetcher {
  const ca = readFileSync(`${ACCOUNT}/ca.crt`);
  const bearer = readFileSync(`${ACCOUNT}/token`, "utf8").trim();
  return (url) =>
    new Promise((resolve, reject) => {
      const request = get(url, { ca, headers: { Authorization: `Bearer ${bearer}` } }, async (response) => {
        const body = Buffer.concat(await Array.fromAsync(response)).toString();
        if (response.statusCode === 200) resolve(fieldsOf(JSON.parse(body)));
        else reject(new Fault("Refused", `${url} answered ${response.statusCode}: ${body}`));
      });
      request.once("error", reject);
    });
}

/** The claims of a token that its issuer has signed, for the audience, and that is in its time.
 *  @throws {Fault} "Refused" for any other */
export async function verifyToken(token: string, audience: string, fetcher: Fetcher): Promise<Fields> {
  const [head = "", body = "", signature = ""] = token.split(".");
  const [header, claims] = [parsePart(head), parsePart(body)];
  const issuer = String(claims["iss"]);
  const published = await fetcher(new URL(`${issuer}/.well-known/openid-configuration`));
  if (published["issuer"] !== issuer)
    throw new Fault("Refused", `issuer ${issuer} publishes itself as ${published["issuer"]}`);
  const { keys } = await fetcher(new URL(String(published["jwks_uri"])));
  const key = listOf(keys).find(({ kid }) => kid === header["kid"]);
  if (key === undefined) throw new Fault("Refused", `issuer ${issuer} has no key ${header["kid"]}`);
  const publicKey = createPublicKey({ key: keyOf(key), format: "jwk" });
  const signed = Buffer.from(`${head}.${body}`);
  const how = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
  if (!verify("sha256", signed, how, Buffer.from(signature, "base64url")))
    throw new Fault("Refused", "the signature is not the issuer's");
  checkClaims(claims, audience);
  return claims;
}

function checkClaims({ aud, exp, nbf }: Fields, audience: string): void {
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(audience))
    throw new Fault("Refused", `the token is for ${audiences}, not for ${audience}`);
  const now = Date.now() / 1000;
  if (Number(exp) < now || Number(nbf ?? 0) > now) throw new Fault("Refused", "the token is not in its time");
}

function parsePart(part: string): Fields {
  return fieldsOf(JSON.parse(Buffer.from(part, "base64url").toString()));
}

function keyOf(fields: Fields): JsonWebKey {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}
