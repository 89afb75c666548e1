import { Fault } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { KubeClient } from "#kube/client";
import type { Pod, ServiceAccountTokenProjection } from "#kube/generated/types";
import type { KubeObject, Resource } from "#kube/object";
import type { Clock } from "#life/clock";

interface TokenRequest extends KubeObject {
  readonly spec?: {
    readonly audiences?: readonly string[];
    readonly expirationSeconds?: number;
    readonly boundObjectRef?: {
      readonly apiVersion: string;
      readonly kind: "Pod";
      readonly name: string;
      readonly uid: string;
    };
  };
  readonly status?: { readonly token: string; readonly expirationTimestamp: string };
}

const TOKEN_REQUESTS: Resource<TokenRequest> = {
  group: "",
  version: "v1",
  kind: "TokenRequest",
  plural: "serviceaccounts",
  namespaced: true,
};
const DEFAULT_SECONDS = 3600;
const MAX_AGE_MS = 24 * 3_600_000;
const REFRESH_AT = 0.8;

interface Token {
  readonly token: string;
  readonly expiresAt: number;
  readonly refreshAt: number;
}

/** Service account tokens of this node's pods, each bound to its pod and renewed at four fifths of its life. */
export class Tokens {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Token>();

  constructor(client: KubeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** A token that is good for a while. While the API does not answer, the old one stays until it expires.
   *  @throws {Fault} "FailedMount" */
  async get(pod: Pod, wanted: ServiceAccountTokenProjection): Promise<Token> {
    const account = pod.spec?.serviceAccountName || "default";
    const key = [pod.metadata.uid, account, wanted.audience ?? "", wanted.expirationSeconds ?? ""].join("/");
    const held = this.#tokens.get(key);
    if (held && this.#clock.now() < held.refreshAt) return held;
    try {
      const token = await this.#request(pod, account, wanted);
      this.#tokens.set(key, token);
      return token;
    } catch (error) {
      if (held && this.#clock.now() < held.expiresAt)
        return { ...held, refreshAt: this.#clock.now() + 10_000 };
      if (!isApiFault(error)) throw error;
      throw new Fault("FailedMount", `failed to fetch token: ${error.message}`, { cause: error });
    }
  }

  forget(podUid: string): void {
    for (const key of this.#tokens.keys()) if (key.startsWith(`${podUid}/`)) this.#tokens.delete(key);
  }

  async #request(pod: Pod, account: string, wanted: ServiceAccountTokenProjection): Promise<Token> {
    const { name, uid = "", namespace } = pod.metadata;
    const now = this.#clock.now();
    const answer = await this.#client.create(
      TOKEN_REQUESTS,
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        metadata: { name: account, namespace },
        spec: {
          audiences: wanted.audience ? [wanted.audience] : [],
          expirationSeconds: wanted.expirationSeconds ?? DEFAULT_SECONDS,
          boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
        },
      },
      { subresource: "token" },
    );
    if (!answer.status)
      throw new Fault("FailedMount", `the API gave no token for service account ${account}`);
    const expiresAt = Date.parse(answer.status.expirationTimestamp);
    const refreshAt = now + Math.min(MAX_AGE_MS, (expiresAt - now) * REFRESH_AT) - Math.random() * 10_000;
    return { token: answer.status.token, expiresAt, refreshAt };
  }
}
