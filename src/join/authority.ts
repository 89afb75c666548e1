/** The server's certificates under `$DATA/server/tls`, with K3s's file names: made once, renewed before they run out. */
import { createPublicKey, randomBytes, X509Certificate } from "node:crypto";
import { join } from "node:path";
import {
  type Certified,
  coversNames,
  createAuthority,
  createKey,
  issuePair,
  type LeafRequest,
} from "./certificate.ts";
import { readIfThere, writeFileAtomic } from "./file.ts";

export interface Authority {
  readonly serverCa: Certified;
  readonly clientCa: Certified;
  readonly serving: Certified;
  /** CN system:admin, O system:masters: what goes into the kubeconfig. */
  readonly admin: Certified;
  /** CN system:apiserver, O system:masters: how the API server shows itself to kubelets. */
  readonly apiserver: Certified;
  /** CN system:kube-controller-manager in system:masters: what this server's own controllers use. */
  readonly controller: Certified;
  /** CN system:kube-scheduler, in no group: the roles bound to that user say what this server's scheduler may do. */
  readonly scheduler: Certified;
  /** CN k3s-cloud-controller-manager, in no group: what it may do its packaged role says. */
  readonly cloudController: Certified;
  readonly serviceAccount: { readonly privateKey: string; readonly publicKey: string };
}

/** K3s renews what runs out within this time, at start. */
const RENEW_MS = 120 * 24 * 3600 * 1000;

/** Reads what stands under `dir` and makes what is missing, has run low, or no longer names all of `sans`. */
export async function openAuthority(
  dir: string,
  options: { sans: readonly string[]; now: number },
): Promise<Authority> {
  const { now } = options;
  const stamp = Math.floor(now / 1000);
  const serverCa = await ensureAuthority(join(dir, "server-ca"), `k3s-server-ca@${stamp}`, now);
  const clientCa = await ensureAuthority(join(dir, "client-ca"), `k3s-client-ca@${stamp}`, now);
  const client = (file: string, commonName: string, organizations: readonly string[]) =>
    ensureLeaf(join(dir, file), clientCa, { commonName, organizations, usage: "client" }, now);
  return {
    serverCa,
    clientCa,
    serving: await ensureLeaf(
      join(dir, "serving-kube-apiserver"),
      serverCa,
      { commonName: "kube-apiserver", sans: options.sans, usage: "server" },
      now,
    ),
    admin: await client("client-admin", "system:admin", ["system:masters"]),
    apiserver: await client("client-kube-apiserver", "system:apiserver", ["system:masters"]),
    controller: await client("client-controller", "system:kube-controller-manager", ["system:masters"]),
    scheduler: await client("client-scheduler", "system:kube-scheduler", []),
    cloudController: await client("client-k3s-cloud-controller", "k3s-cloud-controller-manager", []),
    serviceAccount: ensureServiceAccountKey(join(dir, "service.key")),
  };
}

async function ensureAuthority(path: string, name: string, now: number): Promise<Certified> {
  return readPair(path) ?? writePair(path, await createAuthority(name, now));
}

async function ensureLeaf(
  path: string,
  authority: Certified,
  request: LeafRequest,
  now: number,
): Promise<Certified> {
  const standing = readPair(path);
  if (standing && isGood(standing, authority, request, now)) return standing;
  return writePair(path, await issuePair(authority, request, now));
}

function isGood(standing: Certified, authority: Certified, request: LeafRequest, now: number): boolean {
  const leaf = new X509Certificate(standing.certPem);
  const signed = leaf.verify(new X509Certificate(authority.certPem).publicKey);
  const named = coversNames(leaf, request.sans ?? []);
  return signed && named && leaf.validToDate.getTime() - now > RENEW_MS;
}

function ensureServiceAccountKey(path: string): Authority["serviceAccount"] {
  const privateKey = readIfThere(path) ?? createKey().keyPem;
  writeFileAtomic(path, privateKey, 0o600);
  return {
    privateKey,
    publicKey: createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString(),
  };
}

/** Both halves or neither: a crash between the two writes leaves a pair that is made again. */
function readPair(path: string): Certified | undefined {
  const [certPem, keyPem] = [readIfThere(`${path}.crt`), readIfThere(`${path}.key`)];
  if (certPem === undefined || keyPem === undefined) return undefined;
  const matches = new X509Certificate(certPem).publicKey.equals(createPublicKey(keyPem));
  return matches ? { certPem, keyPem } : undefined;
}

function writePair(path: string, pair: Certified): Certified {
  writeFileAtomic(`${path}.key`, pair.keyPem, 0o600);
  writeFileAtomic(`${path}.crt`, pair.certPem, 0o644);
  return pair;
}

/** A secret for tokens and node passwords: 16 random bytes as hex. */
export function randomSecret(): string {
  return randomBytes(16).toString("hex");
}
