import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomUUID,
  sign,
  verify,
} from "node:crypto";
import type { Resource } from "#kube/object";
import { NODES, PODS, SECRETS, SERVICE_ACCOUNTS } from "#kube/resources";
import type { Clock } from "#life/clock";
import type { World } from "../cache/world.ts";
import { isObject, type JsonObject, listAt, numberAt, objectAt, textAt } from "../json.ts";
import type { User } from "./user.ts";

export interface BoundObject {
  readonly kind: "Pod" | "Secret" | "Node";
  readonly name: string;
  readonly uid: string;
}

export interface TokenClaims {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  readonly expiresAtMs: number;
  readonly bound: BoundObject | undefined;
}

export interface Verified {
  readonly user: User;
  readonly audiences: readonly string[];
}

/** A bound object that is being deleted keeps its tokens this long. */
const DELETED_GRACE_MS = 60_000;
const REMEMBERED_TOKENS = 4096;

/** Makes and checks service account tokens: JWTs signed with the cluster's key, good as long as what they are bound to exists. */
export class TokenIssuer {
  readonly issuer: string;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly #algorithm: "ES256" | "RS256";
  readonly #keyId: string;
  /** Signatures already found good, so that the costly part is done once a token. */
  readonly #checked = new Map<string, JsonObject>();

  constructor(options: {
    readonly world: World;
    readonly clock: Clock;
    readonly issuer: string;
    readonly privateKey: string;
    readonly publicKey: string;
  }) {
    this.issuer = options.issuer;
    this.#world = options.world;
    this.#clock = options.clock;
    this.#private = createPrivateKey(options.privateKey);
    this.#public = createPublicKey(options.publicKey);
    this.#algorithm = this.#private.asymmetricKeyType === "ec" ? "ES256" : "RS256";
    const der = this.#public.export({ type: "spki", format: "der" });
    this.#keyId = createHash("sha256").update(der).digest("base64url");
  }

  issue(claims: TokenClaims): string {
    const now = Math.floor(this.#clock.now() / 1000);
    const { bound } = claims;
    const boundClaims =
      bound === undefined ? {} : { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } };
    return this.#sign({
      aud: [...claims.audiences],
      exp: Math.floor(claims.expiresAtMs / 1000),
      iat: now,
      iss: this.issuer,
      jti: randomUUID(),
      "kubernetes.io": {
        namespace: claims.namespace,
        ...boundClaims,
        serviceaccount: { name: claims.name, uid: claims.uid },
      },
      nbf: now,
      sub: `system:serviceaccount:${claims.namespace}:${claims.name}`,
    });
  }

  /** Whose token this is, or undefined when it is not good for any of `audiences` (the API's own when not given). */
  verify(token: string, audiences: readonly string[] = [this.issuer]): Verified | undefined {
    const claims = this.#claims(token);
    if (claims === undefined || !this.#isCurrent(claims)) return undefined;
    const granted = (listAt(claims, "aud") ?? []).filter(
      (audience): audience is string => typeof audience === "string" && audiences.includes(audience),
    );
    if (granted.length === 0) return undefined;
    const kubernetes = objectAt(claims, "kubernetes.io");
    const namespace = textAt(kubernetes, "namespace") ?? "";
    const account = objectAt(kubernetes, "serviceaccount");
    const name = textAt(account, "name") ?? "";
    const uid = textAt(account, "uid") ?? "";
    if (
      this.#world.read(SERVICE_ACCOUNTS, namespace, name)?.metadata.uid !== uid ||
      !this.#isBound(kubernetes, namespace)
    )
      return undefined;
    return {
      user: { ...accountUser(namespace, name), uid, extra: extrasOf(claims, kubernetes) },
      audiences: granted,
    };
  }

  /** The public key as a JSON web key set. */
  keySet(): object {
    const jwk = this.#public.export({ format: "jwk" });
    return { keys: [{ use: "sig", ...jwk, kid: this.#keyId, alg: this.#algorithm }] };
  }

  get algorithm(): string {
    return this.#algorithm;
  }

  #sign(claims: object): string {
    const head = encode({ alg: this.#algorithm, kid: this.#keyId });
    const body = `${head}.${encode(claims)}`;
    const signature = sign("sha256", Buffer.from(body), { key: this.#private, dsaEncoding: "ieee-p1363" });
    return `${body}.${signature.toString("base64url")}`;
  }

  #claims(token: string): JsonObject | undefined {
    const known = this.#checked.get(token);
    if (known !== undefined) return known;
    const [head = "", body = "", signature = "", ...rest] = token.split(".");
    if (rest.length > 0 || signature === "" || textAt(decode(head), "alg") !== this.#algorithm)
      return undefined;
    const isGood = verify(
      "sha256",
      Buffer.from(`${head}.${body}`),
      { key: this.#public, dsaEncoding: "ieee-p1363" },
      Buffer.from(signature, "base64url"),
    );
    const claims = isGood ? decode(body) : undefined;
    if (claims === undefined) return undefined;
    if (this.#checked.size >= REMEMBERED_TOKENS) this.#checked.clear();
    this.#checked.set(token, claims);
    return claims;
  }

  #isCurrent(claims: JsonObject): boolean {
    const now = this.#clock.now() / 1000;
    const expires = numberAt(claims, "exp") ?? 0;
    const notBefore = numberAt(claims, "nbf") ?? 0;
    return textAt(claims, "iss") === this.issuer && now < expires && now >= notBefore - 10;
  }

  #isBound(kubernetes: JsonObject | undefined, namespace: string): boolean {
    const kinds: readonly (readonly [string, Resource])[] = [
      ["pod", PODS],
      ["secret", SECRETS],
      ["node", NODES],
    ];
    for (const [kind, resource] of kinds) {
      const bound = objectAt(kubernetes, kind);
      if (bound === undefined) continue;
      const object = this.#world.read(
        resource,
        resource.namespaced ? namespace : undefined,
        textAt(bound, "name") ?? "",
      );
      if (object === undefined || object.metadata.uid !== textAt(bound, "uid")) {
        // A node claim beside a pod only says where the pod runs.
        if (kind === "node" && objectAt(kubernetes, "pod") !== undefined) continue;
        return false;
      }
      const deleted = Date.parse(object.metadata.deletionTimestamp ?? "");
      if (this.#clock.now() - deleted > DELETED_GRACE_MS) return false;
    }
    return true;
  }
}

export function accountUser(namespace: string, name: string): User {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
  };
}

function extrasOf(claims: JsonObject, kubernetes: JsonObject | undefined): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  const jti = textAt(claims, "jti");
  if (jti !== undefined) out["authentication.kubernetes.io/credential-id"] = [`JTI=${jti}`];
  for (const kind of ["pod", "node"]) {
    const bound = objectAt(kubernetes, kind);
    if (bound === undefined) continue;
    out[`authentication.kubernetes.io/${kind}-name`] = [textAt(bound, "name") ?? ""];
    out[`authentication.kubernetes.io/${kind}-uid`] = [textAt(bound, "uid") ?? ""];
  }
  return out;
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
