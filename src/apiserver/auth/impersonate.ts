import type { IncomingHttpHeaders } from "node:http";
import { badRequest } from "../status.ts";
import type { Authorizer } from "./authorize.ts";
import { accountUser } from "./token.ts";
import { ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, type User } from "./user.ts";

const ACCOUNT = "system:serviceaccount:";
const AUTHENTICATION = "authentication.k8s.io";

/** Whom the headers ask to act as. */
interface Wish {
  readonly user: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** The user whose rights a request is answered with: the asker, or whoever they wish to be and may.
 *  @throws {StatusFault} Forbidden, naming the part that they may not; BadRequest for a wish without a user
 *  @see kubernetes apiserver/pkg/endpoints/filters/impersonation */
export async function impersonated(
  asker: User,
  headers: NodeJS.Dict<string[]>,
  authorizer: Authorizer,
): Promise<User | undefined> {
  const wish = readWish(headers);
  if (wish === undefined) return undefined;
  const account = accountOf(wish.user);
  for (const what of requested(wish, account)) await authorizer.require(asker, what);
  const user = { name: wish.user, groups: groupsOf(wish, account) };
  return {
    ...user,
    ...(wish.uid === undefined ? {} : { uid: wish.uid }),
    ...(Object.keys(wish.extra).length === 0 ? {} : { extra: wish.extra }),
  };
}

function readWish(headers: NodeJS.Dict<string[]>): Wish | undefined {
  const user = headers["impersonate-user"]?.[0] ?? "";
  const uid = headers["impersonate-uid"]?.[0] ?? "";
  const groups = headers["impersonate-group"] ?? [];
  const extra = readExtra(headers);
  const hasMore = groups.length > 0 || uid !== "" || Object.keys(extra).length > 0;
  if (user === "" && hasMore)
    throw badRequest(
      `requested ${JSON.stringify([...groups, uid].filter((part) => part !== ""))} without impersonating a user`,
    );
  return user === "" ? undefined : { user, uid: uid === "" ? undefined : uid, groups, extra };
}

function readExtra(headers: NodeJS.Dict<string[]>): Readonly<Record<string, readonly string[]>> {
  const out: Record<string, readonly string[]> = {};
  for (const [name, values] of Object.entries(headers)) {
    if (!name.startsWith("impersonate-extra-") || values === undefined) continue;
    Object.defineProperty(out, unescaped(name.slice("impersonate-extra-".length)), {
      value: values,
      enumerable: true,
    });
  }
  return out;
}

/** Header names cannot hold every character: clients percent-encode the others. */
function unescaped(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}

function accountOf(user: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!user.startsWith(ACCOUNT)) return undefined;
  const [namespace = "", name = "", ...rest] = user.slice(ACCOUNT.length).split(":");
  return namespace === "" || name === "" || rest.length > 0 ? undefined : { namespace, name };
}

/** One question for each part of the wish. */
function requested({ user, uid, groups, extra }: Wish, account: ReturnType<typeof accountOf>) {
  const ask = (
    group: string,
    plural: string,
    name: string,
    more: { namespace?: string; subresource?: string } = {},
  ) => ({
    verb: "impersonate",
    group,
    plural,
    namespace: more.namespace,
    subresource: more.subresource,
    name,
  });
  return [
    account === undefined
      ? ask("", "users", user)
      : ask("", "serviceaccounts", account.name, { namespace: account.namespace }),
    ...groups.map((group) => ask("", "groups", group)),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => ask(AUTHENTICATION, "userextras", value, { subresource: key })),
    ),
    ...(uid === undefined ? [] : [ask(AUTHENTICATION, "uids", uid)]),
  ];
}

/** An account that is not given groups has its own. */
function groupsOf({ user, groups }: Wish, account: ReturnType<typeof accountOf>): readonly string[] {
  const given =
    groups.length === 0 && account !== undefined
      ? accountUser(account.namespace, account.name).groups
      : groups;
  if (user === ANONYMOUS.name) return given.includes(UNAUTHENTICATED) ? given : [...given, UNAUTHENTICATED];
  const isSaid = given.includes(AUTHENTICATED) || given.includes(UNAUTHENTICATED);
  return isSaid ? given : [...given, AUTHENTICATED];
}

/** Whether a request's headers ask for anything of the kind. */
export function asksToImpersonate(headers: IncomingHttpHeaders): boolean {
  return Object.keys(headers).some((name) => name.startsWith("impersonate-"));
}
