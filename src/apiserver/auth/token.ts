import { randomUUID } from "node:crypto";
import type { Resource } from "#kube/object";
import { NODES, PODS, SECRETS, SERVICE_ACCOUNTS } from "#kube/resources";
import type { Clock } from "#life/clock";
import type { World } from "../cache/world.ts";
import { type JsonObject, listAt, numberAt, objectAt, textAt } from "../json.ts";
import { sameText } from "./bootstrap-token.ts";
import { type KeyFiles, SigningKeys } from "./signing-keys.ts";
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
  /** From when on using it is a sign of a client that never reads its token again. */
  readonly warnAfterMs?: number | undefined;
  readonly bound: BoundObject | undefined;
  /** Where the pod it is bound to runs. */
  readonly node?: { readonly name: string; readonly uid: string | undefined } | undefined;
}

export interface Verified {
  readonly user: User;
  readonly audiences: readonly string[];
  /** What the audit log says of it: an old token in use, say. */
  readonly annotations: Readonly<Record<string, string>>;
}

export interface IssuerOptions extends KeyFiles {
  readonly world: World;
  readonly clock: Clock;
  /** What tokens say who made them. */
  readonly issuer: string;
  /** Who the API is to those who make tokens for it; its issuer when there is none. */
  readonly audiences?: readonly string[];
}

/** A bound object that is being deleted keeps its tokens this long. */
const DELETED_GRACE_MS = 60_000;
/** What clocks may differ by. */
const LEEWAY_SECONDS = 60;
const REMEMBERED_TOKENS = 4096;
const LEGACY_ISSUER = "kubernetes/serviceaccount";
const LEGACY = "kubernetes.io/serviceaccount/";
const PREFIX = "authentication.kubernetes.io/";

/** Makes and checks service account tokens: JWTs signed with the cluster's key, good as long as what they are bound to exists. */
export class TokenIssuer {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keys: SigningKeys;
  readonly #world: World;
  readonly #clock: Clock;
  /** Signatures already found good, so that the costly part is done once a token. */
  readonly #checked = new Map<string, JsonObject>();

  constructor(options: IssuerOptions) {
    this.issuer = options.issuer;
    this.audiences = options.audiences?.length ? options.audiences : [options.issuer];
    this.keys = new SigningKeys(options);
    this.#world = options.world;
    this.#clock = options.clock;
  }

  issue(claims: TokenClaims): { readonly token: string; readonly id: string } {
    const now = seconds(this.#clock.now());
    const { bound, node, warnAfterMs } = claims;
    const id = randomUUID();
    const boundClaims =
      bound === undefined ? {} : { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } };
    const token = this.keys.sign({
      aud: [...claims.audiences],
      exp: seconds(claims.expiresAtMs),
      iat: now,
      iss: this.issuer,
      jti: id,
      "kubernetes.io": {
        namespace: claims.namespace,
        ...(node === undefined ? {} : { node }),
        ...boundClaims,
        serviceaccount: { name: claims.name, uid: claims.uid },
        ...(warnAfterMs === undefined ? {} : { warnafter: seconds(warnAfterMs) }),
      },
      nbf: now,
      sub: accountUser(claims.namespace, claims.name).name,
    });
    return { token, id };
  }

  /** Whose token this is, or undefined when it is not good for any of `audiences` (the API's own when not given). */
  verify(token: string, audiences: readonly string[] = this.audiences): Verified | undefined {
    const claims = this.#claims(token);
    if (claims === undefined) return undefined;
    if (textAt(claims, "iss") === LEGACY_ISSUER) return this.#legacy(token, claims, audiences);
    if (!this.#isCurrent(claims)) return undefined;
    const granted = (listAt(claims, "aud") ?? []).filter(
      (audience): audience is string => typeof audience === "string" && audiences.includes(audience),
    );
    const kubernetes = objectAt(claims, "kubernetes.io");
    const namespace = textAt(kubernetes, "namespace") ?? "";
    const account = objectAt(kubernetes, "serviceaccount");
    const name = textAt(account, "name") ?? "";
    const uid = textAt(account, "uid") ?? "";
    if (granted.length === 0 || !this.#isAccount(namespace, name, uid)) return undefined;
    if (textAt(claims, "sub") !== accountUser(namespace, name).name) return undefined;
    if (!this.#isBound(kubernetes, namespace)) return undefined;
    return {
      user: { ...accountUser(namespace, name), uid, extra: extrasOf(claims, kubernetes) },
      audiences: granted,
      annotations: this.#staleness(kubernetes, accountUser(namespace, name).name),
    };
  }

  /** Legacy tokens name no audience: they are the API's. */
  #legacy(token: string, claims: JsonObject, audiences: readonly string[]): Verified | undefined {
    const at = (field: string) => textAt(claims, `${LEGACY}${field}`) ?? "";
    const [namespace, name, uid] = [at("namespace"), at("service-account.name"), at("service-account.uid")];
    const granted = audiences.filter((audience) => this.audiences.includes(audience));
    if (granted.length === 0 || !this.#isAccount(namespace, name, uid)) return undefined;
    const secret = this.#world.read(SECRETS, namespace, at("secret.name"));
    const held = Buffer.from(secret?.data?.["token"] ?? "", "base64").toString("utf8");
    const isRevoked = secret?.metadata.labels?.["kubernetes.io/legacy-token-invalid-since"] !== undefined;
    if (secret?.metadata.deletionTimestamp !== undefined || isRevoked || !sameText(held, token))
      return undefined;
    return {
      user: { ...accountUser(namespace, name), uid },
      audiences: granted,
      annotations: { [`${PREFIX}legacy-token`]: accountUser(namespace, name).name },
    };
  }

  #claims(token: string): JsonObject | undefined {
    const known = this.#checked.get(token);
    if (known !== undefined) return known;
    const claims = this.keys.open(token);
    if (claims === undefined) return undefined;
    if (this.#checked.size >= REMEMBERED_TOKENS) this.#checked.clear();
    this.#checked.set(token, claims);
    return claims;
  }

  #isCurrent(claims: JsonObject): boolean {
    const now = this.#clock.now() / 1000;
    const expires = numberAt(claims, "exp") ?? 0;
    const notBefore = numberAt(claims, "nbf") ?? 0;
    return textAt(claims, "iss") === this.issuer && now < expires && now >= notBefore - LEEWAY_SECONDS;
  }

  #staleness(kubernetes: JsonObject | undefined, subject: string): Readonly<Record<string, string>> {
    const late = Math.floor(this.#clock.now() / 1000 - (numberAt(kubernetes, "warnafter") ?? Infinity));
    if (late <= 0) return {};
    return { [`${PREFIX}stale-token`]: `subject: ${subject}, seconds after warning threshold: ${late}` };
  }

  #isAccount(namespace: string, name: string, uid: string): boolean {
    const account = this.#world.read(SERVICE_ACCOUNTS, namespace, name);
    return (
      account !== undefined &&
      account.metadata.uid === uid &&
      this.#isThere(account.metadata.deletionTimestamp)
    );
  }

  /** Whether an object exists, or has only just begun to go. */
  #isThere(deletionTimestamp: string | undefined): boolean {
    return (
      deletionTimestamp === undefined || this.#clock.now() - Date.parse(deletionTimestamp) <= DELETED_GRACE_MS
    );
  }

  #isBound(kubernetes: JsonObject | undefined, namespace: string): boolean {
    return BINDINGS.every(([kind, resource]) => {
      const bound = objectAt(kubernetes, kind);
      if (bound === undefined) return true;
      // A node beside a pod only says where the pod ran when the token was made.
      if (kind === "node" && objectAt(kubernetes, "pod") !== undefined) return true;
      const where = resource.namespaced ? namespace : undefined;
      const object = this.#world.read(resource, where, textAt(bound, "name") ?? "");
      return (
        object !== undefined &&
        object.metadata.uid === textAt(bound, "uid") &&
        this.#isThere(object.metadata.deletionTimestamp)
      );
    });
  }
}

const BINDINGS: readonly (readonly [string, Resource])[] = [
  ["pod", PODS],
  ["secret", SECRETS],
  ["node", NODES],
];

export function accountUser(namespace: string, name: string): User {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
  };
}

function extrasOf(claims: JsonObject, kubernetes: JsonObject | undefined): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  const jti = textAt(claims, "jti");
  if (jti !== undefined) out[`${PREFIX}credential-id`] = [`JTI=${jti}`];
  for (const kind of ["node", "pod"]) {
    const bound = objectAt(kubernetes, kind);
    if (bound === undefined) continue;
    out[`${PREFIX}${kind}-name`] = [textAt(bound, "name") ?? ""];
    const uid = textAt(bound, "uid");
    if (uid !== undefined && uid !== "") out[`${PREFIX}${kind}-uid`] = [uid];
  }
  return out;
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
