import { createHash, X509Certificate } from "node:crypto";
import { Fault } from "#fault/fault";

/** How a node proves it may join. The hash pins the cluster's CA; without one the CA is trusted on first use. */
export type Token =
  | {
      readonly kind: "password";
      readonly caHash: string | undefined;
      readonly user: string | undefined;
      readonly password: string;
    }
  | {
      readonly kind: "bootstrap";
      readonly caHash: string | undefined;
      readonly id: string;
      readonly secret: string;
    };

const BOOTSTRAP = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const FULL = /^K10([0-9a-f]*)::(.+)$/;

/** Reads `K10<hash>::user:password`, `K10<hash>::id.secret`, `id.secret` or a bare password. The text itself is never
 *  quoted in an error: it is a secret. @throws {Fault} BadToken */
export function parseToken(text: string): Token {
  const trimmed = text.trim();
  if (trimmed === "") throw bad("it is empty");
  const full = FULL.exec(trimmed);
  if (trimmed.startsWith("K10") && !full)
    throw bad("after K10 and the CA hash there must be ::user:password");
  const caHash = full?.[1] || undefined;
  if (caHash !== undefined && caHash.length !== 64) {
    throw bad(`its CA hash has ${caHash.length} digits instead of 64; copy the whole of server/node-token`);
  }
  const secret = full?.[2] ?? trimmed;
  const bootstrap = BOOTSTRAP.exec(secret);
  if (bootstrap?.[1] && bootstrap[2])
    return { kind: "bootstrap", caHash, id: bootstrap[1], secret: bootstrap[2] };
  if (!full) return { kind: "password", caHash: undefined, user: undefined, password: trimmed };
  const colon = secret.indexOf(":");
  if (colon < 1 || colon === secret.length - 1) throw bad("after :: there must be user:password");
  return { kind: "password", caHash, user: secret.slice(0, colon), password: secret.slice(colon + 1) };
}

/** The full form, as `server/token` holds it. */
export function formatToken(caPem: string, user: "server" | "node", password: string): string {
  return `K10${caHashOf(caPem)}::${user}:${password}`;
}

/** Lower-case hex SHA-256: of the served bytes for one certificate, of the root's DER for a bundle. */
export function caHashOf(caPem: string): string {
  const blocks = caPem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length <= 1) return sha256(caPem);
  const certificates = blocks.map((block) => new X509Certificate(block));
  let root = certificates[0];
  for (let depth = 0; root && depth < certificates.length; depth++) {
    const below: X509Certificate = root;
    const issuer = certificates.find((candidate) => candidate !== below && below.checkIssued(candidate));
    if (!issuer) break;
    root = issuer;
  }
  return sha256(root ? root.raw : caPem);
}

/** @throws {Fault} WrongCa when the token pins another CA than the server shows */
export function checkCa(token: Token, caPem: string): void {
  const shown = caHashOf(caPem);
  if (token.caHash === undefined || token.caHash === shown) return;
  throw new Fault(
    "WrongCa",
    `Cannot trust the server: token CA hash does not match the Cluster CA certificate hash: ${token.caHash} != ${shown}. ` +
      "Take the token from this cluster's server (server/node-token in its data directory)",
  );
}

/** The Authorization header that carries the token; agents are always `node`. */
export function authorization(token: Token, user: "node" | "server"): string {
  if (token.kind === "bootstrap") return `Bearer ${token.id}.${token.secret}`;
  return `Basic ${Buffer.from(`${user}:${token.password}`).toString("base64")}`;
}

function bad(why: string): Fault {
  return new Fault("BadToken", `Cannot read --token: ${why}`);
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
