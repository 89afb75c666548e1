import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { StatusFault } from "../status.ts";
import type { TokenIssuer } from "./token.ts";
import { ANONYMOUS, type User } from "./user.ts";

const AUTHENTICATED = "system:authenticated";

/** Says who sends a request: by client certificate, then by bearer token; nobody in particular when there is neither. */
export class Authenticator {
  readonly #tokens: TokenIssuer;
  readonly #bySocket = new WeakMap<object, User | undefined>();

  constructor(tokens: TokenIssuer) {
    this.#tokens = tokens;
  }

  /** @throws {StatusFault} Unauthorized for credentials that are not good; Forbidden for a wish to act as somebody else,
   *    which must not be answered with the rights of the one who asks */
  authenticate(request: IncomingMessage): User {
    if (Object.keys(request.headers).some((name) => name.startsWith("impersonate-"))) {
      throw new StatusFault("Forbidden", "impersonation (--as, --as-group, --as-uid) is not supported yet");
    }
    const certified = this.#byCertificate(request);
    if (certified !== undefined) return certified;
    const { authorization } = request.headers;
    if (authorization === undefined || authorization === "") return ANONYMOUS;
    const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    const user = token === undefined ? undefined : this.#tokens.verify(token)?.user;
    if (user === undefined) throw new StatusFault("Unauthorized", "Unauthorized");
    return { ...user, groups: [...user.groups, AUTHENTICATED] };
  }

  /** A connection's certificate does not change: it is looked at once. */
  #byCertificate({ socket }: IncomingMessage): User | undefined {
    if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
    if (this.#bySocket.has(socket)) return this.#bySocket.get(socket);
    const user = userOf(socket);
    this.#bySocket.set(socket, user);
    return user;
  }
}

function userOf(socket: TLSSocket): User | undefined {
  const { subject } = socket.getPeerCertificate();
  // Node gives a name that stands more than once as a list.
  const names = [subject?.CN ?? []].flat();
  const groups = [subject?.O ?? []].flat();
  const name = names[0];
  if (name === undefined || name === "") return undefined;
  return { name, groups: [...groups, AUTHENTICATED] };
}
