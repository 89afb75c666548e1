import { randomUUID } from "node:crypto";
import type { Secret } from "#kube/generated/types";
import { SECRETS, SERVICE_ACCOUNTS } from "#kube/resources";
import type { Clock } from "#life/clock";
import type { World } from "../cache/world.ts";
import { type JsonObject, listAt, numberAt, objectAt, textAt } from "../json.ts";
import { notFound } from "../status.ts";
import { sameText } from "./bootstrap-token.ts";
import { type KeyFiles, SigningKeys } from "./signing-keys.ts";
import { accountUser, subjectProblem } from "./token-subject.ts";
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
  /** What its user should hear. */
  readonly warnings: readonly string[];
}

export interface IssuerOptions extends KeyFiles {
  readonly world: World;
  readonly clock: Clock;
  /** What tokens say who made them. */
  readonly issuer: string;
  /** Who the API is to those who make tokens for it; its issuer when there is none. */
  readonly audiences?: readonly string[];
  /** Hears of every use of a token that is kept in a Secret. */
  readonly onLegacyUse?: (secret: Secret) => void;
}

/** What clocks may differ by. */
const LEEWAY_SECONDS = 60;
const REMEMBERED_TOKENS = 4096;
const LEGACY_ISSUER = "kubernetes/serviceaccount";
const LEGACY = "kubernetes.io/serviceaccount/";
const PREFIX = "authentication.kubernetes.io/";
/** Of the audit log's annotations. */
const AUDIT = "authentication.k8s.io/";
const INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since";
const OLD_SECRET =
  "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens.";

/** Makes and checks service account tokens: JWTs signed with the cluster's key, good as long as what they are bound to exists. */
export class TokenIssuer {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keys: SigningKeys;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #onLegacyUse: (secret: Secret) => void;
  /** Signatures already found good, so that the costly part is done once a token. */
  readonly #checked = new Map<string, JsonObject>();

  constructor(options: IssuerOptions) {
    this.issuer = options.issuer;
    this.audiences = options.audiences?.length ? options.audiences : [options.issuer];
    this.keys = new SigningKeys(options);
    this.#world = options.world;
    this.#clock = options.clock;
    this.#onLegacyUse = options.onLegacyUse ?? (() => {});
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
    const examined = this.examine(token, audiences);
    return "problem" in examined ? undefined : examined;
  }

  /** The same, with what is wrong with a token that is one of ours; an empty problem when it is not. */
  examine(
    token: string,
    audiences: readonly string[] = this.audiences,
  ): Verified | { readonly problem: string } {
    const claims = this.#claims(token);
    const issuer = textAt(claims, "iss");
    if (claims === undefined) return { problem: "" };
    if (issuer === LEGACY_ISSUER) return this.#legacy(token, claims, audiences);
    if (issuer !== this.issuer) return { problem: "" };
    const own = (listAt(claims, "aud") ?? []).filter((audience) => typeof audience === "string");
    const granted = own.filter((audience) => audiences.includes(audience));
    if (granted.length === 0)
      return {
        problem: `token audiences ${quoted(own)} is invalid for the target audiences ${quoted(audiences)}`,
      };
    const kubernetes = objectAt(claims, "kubernetes.io");
    const now = this.#clock.now();
    const problem = timeProblem(claims, now) ?? subjectProblem(kubernetes, { world: this.#world, now });
    if (problem !== undefined) return { problem };
    const account = objectAt(kubernetes, "serviceaccount");
    const user = accountUser(textAt(kubernetes, "namespace") ?? "", textAt(account, "name") ?? "");
    if (textAt(claims, "sub") !== user.name) return { problem: "" };
    return {
      user: { ...user, uid: textAt(account, "uid") ?? "", extra: extrasOf(claims, kubernetes) },
      audiences: granted,
      annotations: this.#staleness(kubernetes, user.name),
      warnings: [],
    };
  }

  /** Legacy tokens name no audience: they are the API's. @see kubernetes pkg/serviceaccount/legacy.go */
  #legacy(
    token: string,
    claims: JsonObject,
    audiences: readonly string[],
  ): Verified | { readonly problem: string } {
    const at = (field: string) => textAt(claims, `${LEGACY}${field}`) ?? "";
    const [namespace, name, uid] = [at("namespace"), at("service-account.name"), at("service-account.uid")];
    const granted = audiences.filter((audience) => this.audiences.includes(audience));
    if (granted.length === 0) return { problem: "" };
    const secret = this.#world.read(SECRETS, namespace, at("secret.name"));
    if (secret === undefined || secret.metadata.deletionTimestamp !== undefined)
      return { problem: "Token has been invalidated" };
    const held = Buffer.from(secret.data?.["token"] ?? "", "base64").toString("utf8");
    if (!sameText(held, token)) return { problem: "Token does not match server's copy" };
    const account = this.#world.read(SERVICE_ACCOUNTS, namespace, name);
    if (account === undefined) return { problem: notFound(SERVICE_ACCOUNTS, name).message };
    if (account.metadata.deletionTimestamp !== undefined)
      return { problem: `ServiceAccount ${namespace}/${name} has been deleted` };
    if (account.metadata.uid !== uid)
      return { problem: `ServiceAccount UID (${account.metadata.uid}) does not match claim (${uid})` };
    this.#onLegacyUse(secret);
    if (secret.metadata.labels?.[INVALID_SINCE])
      return {
        problem: `the token in secret ${namespace}/${secret.metadata.name} for service account ${namespace}/${name} has been marked invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the '${INVALID_SINCE}' label from the secret to temporarily allow use of this token`,
      };
    const isMadeForAccount = account.secrets?.some((each) => each.name === secret.metadata.name) === true;
    const user = accountUser(namespace, name);
    return {
      user: { ...user, uid },
      audiences: granted,
      annotations: {
        [`${AUDIT}legacy-token`]: user.name,
        [`${AUDIT}legacy-token-${isMadeForAccount ? "autogenerated" : "manual"}-secret`]:
          secret.metadata.name,
      },
      warnings: isMadeForAccount ? [OLD_SECRET] : [],
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

  #staleness(kubernetes: JsonObject | undefined, subject: string): Readonly<Record<string, string>> {
    const late = Math.floor(this.#clock.now() / 1000 - (numberAt(kubernetes, "warnafter") ?? Infinity));
    if (late <= 0) return {};
    return { [`${AUDIT}stale-token`]: `subject: ${subject}, seconds after warning threshold: ${late}` };
  }
}

/** The time before and after which a token is nobody's. */
function timeProblem(claims: JsonObject, now: number): string | undefined {
  if (now / 1000 >= (numberAt(claims, "exp") ?? 0)) return "service account token has expired";
  if (now / 1000 < (numberAt(claims, "nbf") ?? 0) - LEEWAY_SECONDS)
    return "service account token is not valid yet";
  return undefined;
}

/** As Go prints a list of texts. */
function quoted(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(" ")}]`;
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
