import { isFault } from "#fault/fault";
import { labelProblems, subdomainProblems } from "../kinds/field/names.ts";
import {
  type Authorizer,
  forbiddenResource,
  type PathAttributes,
  type ResourceAttributes,
} from "./authorize.ts";
import { accountUser } from "./token-subject.ts";
import { ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, type User } from "./user.ts";
import { readWish, type Wish, wishesUserOnly } from "./wish.ts";

const ACCOUNT = "system:serviceaccount:";
const NODE = "system:node:";
const NODE_NAME = "authentication.kubernetes.io/node-name";
const NODE_KEYS = "authentication.kubernetes.io/associated-node-keys";
const AUTHENTICATION = "authentication.k8s.io";
const MASTERS = "system:masters";
const REMEMBERED_USERS = 10_000;
/** So many questions about one user are first asked as a single one about everything. */
const MANY = 4;

/** What the request wants to do as somebody else. */
export type Attempt =
  | { readonly resource: ResourceAttributes }
  | { readonly resource?: undefined; readonly path: PathAttributes };

/** Whom a request is answered as. */
export interface Impersonation {
  readonly user: User;
  /** The verb that allowed it; empty for the oldest, which allows every request. */
  readonly constraint: string;
}

/** A way to act as somebody else, with verbs of its own: one that says whom, and one that says for what. */
interface Mode {
  readonly name: string;
  readonly fits: (wish: Wish, asker: User) => boolean;
}

/** The narrow ways come first. @see kubernetes KEP 5284 */
const MODES: readonly Mode[] = [
  {
    name: "associated-node",
    fits: (wish, asker) => wishesUserOnly(wish) && isOwnNode(asker, nodeIn(wish.user)),
  },
  { name: "arbitrary-node", fits: (wish) => wishesUserOnly(wish) && nodeIn(wish.user) !== undefined },
  { name: "serviceaccount", fits: (wish) => wishesUserOnly(wish) && accountIn(wish.user) !== undefined },
  {
    name: "user-info",
    fits: ({ user }) => nodeIn(user) === undefined && accountIn(user) === undefined,
  },
  { name: "", fits: () => true },
];

/** Finds out whom askers act as, and that they may. @see kubernetes apiserver/pkg/endpoints/filters/impersonation */
export class Impersonator {
  readonly #authorizer: Authorizer;
  /** The way that each asker last went: it is tried first, and its refusal is the one that is told. */
  readonly #lastMode = new Map<string, Mode>();

  constructor(authorizer: Authorizer) {
    this.#authorizer = authorizer;
  }

  /** Undefined when the headers ask for nothing of the kind.
   *  @throws {StatusFault} Forbidden, naming the part that they may not; BadRequest for a wish without a user */
  async impersonate(
    asker: User,
    headers: NodeJS.Dict<string[]>,
    attempt: Attempt,
  ): Promise<Impersonation | undefined> {
    const wish = readWish(headers);
    if (wish === undefined) return undefined;
    const last = this.#lastMode.get(asker.name);
    const modes = last === undefined ? MODES : [last, ...MODES.filter((mode) => mode !== last)];
    let refusal: unknown;
    for (const mode of modes) {
      if (!mode.fits(wish, asker)) continue;
      try {
        const user = await this.#tryMode(mode, { asker, wish, attempt });
        this.#remember(asker.name, mode);
        return { user, constraint: mode.name === "" ? "" : verbOf(mode) };
      } catch (error) {
        if (!isFault(error) || error.code !== "Forbidden") throw error;
        refusal ??= error;
      }
    }
    throw refusal;
  }

  #remember(name: string, mode: Mode): void {
    if (this.#lastMode.size >= REMEMBERED_USERS) this.#lastMode.clear();
    this.#lastMode.set(name, mode);
  }

  async #tryMode(
    mode: Mode,
    { asker, wish, attempt }: { readonly asker: User; readonly wish: Wish; readonly attempt: Attempt },
  ): Promise<User> {
    const isAssociated = mode.name === "associated-node";
    // That it is the asker's own node is known by now: which one must not matter to whoever allows it.
    const who = isAssociated
      ? { ...asker, extra: { [NODE_KEYS]: Object.keys(asker.extra ?? {}).sort() } }
      : asker;
    if (mode.name !== "") await this.#requireAttempt(who, mode, attempt);
    const checks = new Checks(this.#authorizer, who, mode);
    await checks.name(wish.user, isAssociated);
    if (wish.uid !== "") await checks.require(AUTHENTICATION, "uids", wish.uid);
    await checks.groups(wish.groups);
    await checks.extra(wish.extra);
    return userOf(wish, mode);
  }

  async #requireAttempt(asker: User, mode: Mode, attempt: Attempt): Promise<void> {
    const on = (verb: string) => `impersonate-on:${mode.name}:${verb}`;
    if (attempt.resource === undefined) {
      this.#authorizer.requirePath(asker, { ...attempt.path, verb: on(attempt.path.verb) });
      return;
    }
    await this.#authorizer.require(asker, { ...attempt.resource, verb: on(attempt.resource.verb) });
  }
}

function verbOf({ name }: Mode): string {
  return name === "" ? "impersonate" : `impersonate:${name}`;
}

/** The questions about the parts of one wish. */
class Checks {
  readonly #authorizer: Authorizer;
  readonly #asker: User;
  readonly #verb: string;
  readonly #isNarrow: boolean;

  constructor(authorizer: Authorizer, asker: User, mode: Mode) {
    this.#authorizer = authorizer;
    this.#asker = asker;
    this.#verb = verbOf(mode);
    this.#isNarrow = mode.name !== "";
  }

  async name(user: string, isAnyNode: boolean): Promise<void> {
    const account = accountIn(user);
    const node = this.#isNarrow ? nodeIn(user) : undefined;
    if (account !== undefined)
      await this.require(this.#group, "serviceaccounts", account.name, { namespace: account.namespace });
    else if (node !== undefined) await this.require(this.#group, "nodes", isAnyNode ? "*" : node);
    else await this.require(this.#group, "users", user);
  }

  async groups(groups: readonly string[]): Promise<void> {
    if (this.#isNarrow) {
      if (groups.includes(""))
        this.#refuse("groups", "", "impersonating the empty string group is not allowed");
      if (groups.includes(MASTERS))
        this.#refuse("groups", MASTERS, "impersonating the system:masters group is not allowed");
      if (groups.length >= MANY && this.#allows(this.#group, "groups", "*")) return;
    }
    for (const group of groups) await this.require(this.#group, "groups", group);
  }

  async extra(extra: Wish["extra"]): Promise<void> {
    const entries = Object.entries(extra);
    if (this.#isNarrow) {
      for (const [key, values] of entries) {
        const problem = extraProblem(key, values);
        if (problem !== undefined) this.#refuse("userextras", "", problem);
      }
      const count = entries.reduce((sum, [, values]) => sum + values.length, 0);
      const isLarge = count >= MANY || entries.length >= MANY;
      if (isLarge && this.#allows(AUTHENTICATION, "userextras", "*", { subresource: "*" })) return;
    }
    for (const [key, values] of entries)
      for (const value of values)
        await this.require(AUTHENTICATION, "userextras", value, key === "" ? {} : { subresource: key });
  }

  /** @throws {StatusFault} Forbidden */
  async require(group: string, plural: string, name: string, more: Place = {}): Promise<void> {
    await this.#authorizer.require(this.#asker, this.#attributes(group, plural, name, more));
  }

  /** Only the oldest way asks about the core group. */
  get #group(): string {
    return this.#isNarrow ? AUTHENTICATION : "";
  }

  #allows(group: string, plural: string, name: string, more: Place = {}): boolean {
    return this.#authorizer.decide(this.#asker, this.#attributes(group, plural, name, more)).allowed;
  }

  #refuse(plural: string, name: string, why: string): never {
    throw forbiddenResource(this.#asker, this.#attributes(AUTHENTICATION, plural, name), why);
  }

  #attributes(group: string, plural: string, name: string, more: Place = {}): ResourceAttributes {
    const { namespace, subresource } = more;
    return { verb: this.#verb, group, version: "v1", plural, namespace, subresource, name };
  }
}

interface Place {
  readonly namespace?: string;
  readonly subresource?: string;
}

/** The namespace and name of the account that a user is. */
function accountIn(user: string): { readonly namespace: string; readonly name: string } | undefined {
  if (!user.startsWith(ACCOUNT)) return undefined;
  const [namespace = "", name = "", ...rest] = user.slice(ACCOUNT.length).split(":");
  const isGood =
    rest.length === 0 && labelProblems(namespace).length === 0 && subdomainProblems(name).length === 0;
  return isGood ? { namespace, name } : undefined;
}

function nodeIn(user: string): string | undefined {
  const name = user.startsWith(NODE) ? user.slice(NODE.length) : "";
  return name !== "" && subdomainProblems(name).length === 0 ? name : undefined;
}

/** Whether the asker is an account whose token says that it is used on the node. */
function isOwnNode({ name, extra }: User, node: string | undefined): boolean {
  const own = extra?.[NODE_NAME] ?? [];
  return node !== undefined && accountIn(name) !== undefined && own.length === 1 && own[0] === node;
}

const PATH = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;

function extraProblem(key: string, values: readonly string[]): string | undefined {
  if (key === "") return "impersonating the empty string key in extra is not allowed";
  const problem = keyProblem(key);
  if (problem !== undefined)
    return `impersonating an invalid key in extra is not allowed: extra.key: ${problem}`;
  if (key !== key.toLowerCase())
    return `impersonating a non-lowercase key in extra is not allowed: ${JSON.stringify(key)}`;
  if (values.length === 0) return "impersonating empty values in extra is not allowed";
  return values.includes("") ? "impersonating the empty string value in extra is not allowed" : undefined;
}

function keyProblem(key: string): string | undefined {
  const slash = key.indexOf("/");
  const [host, path] = [key.slice(0, Math.max(slash, 0)), key.slice(slash + 1)];
  const quoted = (value: string) => `Invalid value: ${JSON.stringify(value)}`;
  if (slash < 0 || host === "" || path === "")
    return `${quoted(key)}: must be a domain-prefixed path (such as "acme.io/foo")`;
  const [problem] = subdomainProblems(host);
  if (problem !== undefined) return `${quoted(host)}: ${problem}`;
  if (!PATH.test(path))
    return `${quoted(path)}: Invalid path (regex used for validation is '${PATH.source.slice(1, -1)}')`;
  return undefined;
}

/** An account that is not given groups has its own, and so has a node where only its name could be wished for. */
function userOf({ user, uid, groups, extra }: Wish, mode: Mode): User {
  return {
    name: user,
    groups: withStanding(user, ownGroups(user, groups, mode)),
    ...(uid === "" ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function ownGroups(user: string, groups: readonly string[], mode: Mode): readonly string[] {
  if (groups.length > 0) return groups;
  const account = accountIn(user);
  if (account !== undefined) return accountUser(account.namespace, account.name).groups;
  return mode.name !== "" && nodeIn(user) !== undefined ? ["system:nodes"] : [];
}

function withStanding(user: string, groups: readonly string[]): readonly string[] {
  const standing = user === ANONYMOUS.name ? UNAUTHENTICATED : AUTHENTICATED;
  return groups.includes(standing) || groups.includes(UNAUTHENTICATED) ? groups : [...groups, standing];
}
