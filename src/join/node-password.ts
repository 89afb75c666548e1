/** A node's own password: whoever registered a node name first keeps it. Stored as K3s stores it, so that either can take over. */
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { Fault } from "#fault/fault";
import { ApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Secret } from "#kube/generated/types";
import { SECRETS } from "#kube/resources";

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(
  scrypt,
);
const LOG_N = 15;
const BLOCK = 8;
const PARALLEL = 1;
const LENGTH = 64;

/** `$1:<8-byte salt hex>:15:8:1:<unpadded base64 of 64 bytes of scrypt>`. */
export async function hashNodePassword(password: string, salt: Uint8Array = randomBytes(8)): Promise<string> {
  const saltHex = Buffer.from(salt).toString("hex");
  const hash = await scryptOf(password, Buffer.from(salt), { logN: LOG_N, block: BLOCK, parallel: PARALLEL });
  return `$1:${saltHex}:${LOG_N}:${BLOCK}:${PARALLEL}:${hash.toString("base64").replace(/=+$/, "")}`;
}

/** Whether `password` is what `stored` was made from. A stored text of another form matches nothing. */
export async function matchesNodePassword(password: string, stored: string): Promise<boolean> {
  const match = /^\$1:([0-9a-f]+):(\d{1,2}):(\d{1,2}):(\d{1,2}):([A-Za-z0-9+/]+)$/.exec(stored);
  if (!match) return false;
  const [, salt = "", logN = "", block = "", parallel = "", hash = ""] = match;
  if (Number(logN) > 20) return false;
  const cost = { logN: Number(logN), block: Number(block), parallel: Number(parallel) };
  const got = await scryptOf(password, Buffer.from(salt, "hex"), cost);
  const want = Buffer.from(hash, "base64");
  return want.length === got.length && timingSafeEqual(got, want);
}

/** Lets a node in under its name: the first password given for it is kept, later ones must match.
 *  @throws {Fault} Forbidden when the name belongs to another node */
export async function checkNodePassword(
  client: KubeClient,
  nodeName: string,
  password: string,
): Promise<void> {
  const ref = { namespace: "kube-system", name: `${nodeName}.node-password.k3s` };
  const stored = await readHash(client, ref);
  if (stored === undefined) return await storeHash(client, ref, password);
  if (await matchesNodePassword(password, stored)) return;
  throw new Fault(
    "Forbidden",
    `Node "${nodeName}" is already registered with another password. If it is another machine, give this one its own name ` +
      "with --node-name or --with-node-id; if it was reinstalled, delete the node first: kubectl delete node " +
      `${nodeName} && kubectl -n kube-system delete secret ${ref.name}`,
  );
}

async function readHash(
  client: KubeClient,
  ref: { namespace: string; name: string },
): Promise<string | undefined> {
  try {
    const secret = await client.get(SECRETS, ref);
    return Buffer.from(secret.data?.["hash"] ?? "", "base64").toString();
  } catch (error) {
    if (error instanceof ApiFault && error.code === "NotFound") return undefined;
    throw error;
  }
}

async function storeHash(
  client: KubeClient,
  ref: { namespace: string; name: string },
  password: string,
): Promise<void> {
  const secret: Secret = {
    metadata: ref,
    type: "k3s.cattle.io/node-password",
    immutable: true,
    data: { hash: Buffer.from(await hashNodePassword(password)).toString("base64") },
  };
  await client.create(SECRETS, secret);
}

function scryptOf(
  password: string,
  salt: Buffer,
  cost: { logN: number; block: number; parallel: number },
): Promise<Buffer> {
  const N = 2 ** cost.logN;
  const maxmem = 256 * N * cost.block;
  return derive(password, salt, LENGTH, { N, r: cost.block, p: cost.parallel, maxmem });
}
