/** A node's own password: whoever registered a node name first keeps it. Stored as K3s stores it, so that either can take over. */
import { createHash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
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

/** Lets nodes in under their names: the first password given for a name is kept, later ones must match. A match is
 *  remembered for as long as the stored hash stays the same, because checking one takes a tenth of a second on purpose. */
export class NodePasswords {
  readonly #client: KubeClient;
  /** Stored hash to the digest of the password that matched it. */
  readonly #matched = new Map<string, string>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** @throws {Fault} Forbidden when the name belongs to another node */
  async check(nodeName: string, password: string): Promise<void> {
    const ref = { namespace: "kube-system", name: `${nodeName}.node-password.k3s` };
    const digest = createHash("sha256").update(password).digest("hex");
    const stored = await readHash(this.#client, ref);
    if (stored === undefined) {
      this.#matched.set(await storeHash(this.#client, ref, password), digest);
      return;
    }
    if (this.#matched.get(stored) === digest) return;
    if (!(await matchesNodePassword(password, stored))) throw taken(nodeName, ref.name);
    this.#matched.set(stored, digest);
  }
}

function taken(nodeName: string, secretName: string): Fault {
  return new Fault(
    "Forbidden",
    `Node "${nodeName}" is already registered with another password. If this is another machine, give it its own name with ` +
      "--node-name; if it was reinstalled, delete the node first: kubectl delete node " +
      `${nodeName} && kubectl -n kube-system delete secret ${secretName}`,
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
): Promise<string> {
  const hash = await hashNodePassword(password);
  const secret: Secret = {
    metadata: ref,
    type: "k3s.cattle.io/node-password",
    immutable: true,
    data: { hash: Buffer.from(hash).toString("base64") },
  };
  await client.create(SECRETS, secret);
  return hash;
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
