import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { Clock } from "#life/clock";
import type { World } from "../cache/world.ts";
import { StatusFault } from "../status.ts";
import { bootstrapUser } from "./bootstrap-token.ts";
import type { TokenIssuer } from "./token.ts";
import { ANONYMOUS, authenticated, type User } from "./user.ts";

/** Who may ask without saying who they are: nobody, anybody (roles then say for what), or anybody for these very paths. */
export type AnonymousAccess = "nobody" | "anybody" | ReadonlySet<string>;

/** Health and the version: what system:public-info-viewer shows. The authority's certificate is served beside the API. */
export const PUBLIC_PATHS: ReadonlySet<string> = new Set([
  "/healthz",
  "/livez",
  "/readyz",
  "/version",
  "/version/",
]);

export interface Authentication {
  readonly user: User;
  /** What the audit log says of the credentials. */
  readonly annotations: Readonly<Record<string, string>>;
}

const UID_ATTRIBUTE = "1.3.6.1.4.1.57683.2";
const CREDENTIAL_ID = "authentication.kubernetes.io/credential-id";

type Certified =
  | { readonly kind: "good"; readonly user: User }
  | { readonly kind: "none" }
  | { readonly kind: "bad" };

/** Says who sends a request: by client certificate, then by bearer token (a service account's, then a bootstrap token);
 *  nobody in particular when there is neither. */
export class Authenticator {
  readonly #options: {
    readonly tokens: TokenIssuer;
    readonly world: World;
    readonly clock: Clock;
    readonly anonymous: AnonymousAccess;
  };
  readonly #bySocket = new WeakMap<object, Certified>();

  constructor(options: {
    readonly tokens: TokenIssuer;
    readonly world: World;
    readonly clock: Clock;
    readonly anonymous: AnonymousAccess;
  }) {
    this.#options = options;
  }

  /** `warn` hears of what is overlooked.
   *  @throws {StatusFault} Unauthorized for credentials that are not good, and for none where some are needed */
  authenticate(request: IncomingMessage, path: string, warn: (text: string) => void): Authentication {
    const certified = this.#byCertificate(request);
    if (certified.kind === "good") return { user: certified.user, annotations: {} };
    const token = bearerToken(request, warn);
    if (token !== undefined) {
      const found = this.#byToken(token, warn);
      if (found === undefined) throw unauthorized();
      return found;
    }
    const { anonymous } = this.#options;
    const isWelcome = anonymous === "anybody" || (anonymous !== "nobody" && anonymous.has(path));
    if (certified.kind === "bad" || !isWelcome) throw unauthorized();
    return { user: ANONYMOUS, annotations: {} };
  }

  /** Whose bootstrap token this is. */
  bootstrapUser(token: string): User | undefined {
    return bootstrapUser(token, this.#options);
  }

  #byToken(token: string, warn: (text: string) => void): Authentication | undefined {
    const account = this.#options.tokens.verify(token);
    for (const text of account?.warnings ?? []) warn(text);
    if (account !== undefined) return { user: authenticated(account.user), annotations: account.annotations };
    const user = this.bootstrapUser(token);
    return user && { user: authenticated(user), annotations: {} };
  }

  /** A connection's certificate does not change: it is looked at once. */
  #byCertificate({ socket }: IncomingMessage): Certified {
    if (!(socket instanceof TLSSocket)) return { kind: "none" };
    const known = this.#bySocket.get(socket);
    if (known !== undefined) return known;
    const found = readCertificate(socket);
    this.#bySocket.set(socket, found);
    return found;
  }
}

export function unauthorized(): StatusFault {
  return new StatusFault("Unauthorized", "Unauthorized");
}

/** The token of an Authorization header; undefined when there is no such header, or one of another scheme. */
function bearerToken({ headers }: IncomingMessage, warn: (text: string) => void): string | undefined {
  const [scheme = "", token = "", ...rest] = (headers.authorization ?? "").trim().split(" ");
  if (scheme.toLowerCase() !== "bearer") return undefined;
  if (token === "" && rest.length > 0)
    warn("the provided Authorization header contains extra space before the bearer token, and is ignored");
  return token === "" ? undefined : token;
}

function readCertificate(socket: TLSSocket): Certified {
  const { subject, raw } = socket.getPeerCertificate();
  if (raw === undefined) return { kind: "none" };
  if (!socket.authorized) return { kind: "bad" };
  const fields = { ...subject } as Readonly<Record<string, string | string[] | undefined>>;
  // Node gives a name that stands more than once as a list; Go takes the last.
  const name = listOf(fields["CN"]).at(-1) ?? "";
  if (name === "") return { kind: "none" };
  const uid = listOf(fields[UID_ATTRIBUTE]).at(-1);
  return {
    kind: "good",
    user: authenticated({
      name,
      ...(uid ? { uid } : {}),
      groups: listOf(fields["O"]),
      extra: { [CREDENTIAL_ID]: [`X509SHA256=${createHash("sha256").update(raw).digest("hex")}`] },
    }),
  };
}

function listOf(value: string | string[] | undefined): readonly string[] {
  return [value ?? []].flat();
}
