import { badRequest } from "../status.ts";

/** Whom a request's headers ask to act as. */
export interface Wish {
  readonly user: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

const EXTRA = "impersonate-extra-";

/** Undefined when the headers ask for nothing of the kind. @throws {StatusFault} BadRequest for anything but a user, without a user */
export function readWish(headers: NodeJS.Dict<string[]>): Wish | undefined {
  const wish: Wish = {
    user: headers["impersonate-user"]?.[0] ?? "",
    uid: headers["impersonate-uid"]?.[0] ?? "",
    groups: headers["impersonate-group"] ?? [],
    extra: readExtra(headers),
  };
  if (wish.user !== "") return wish;
  if (wish.groups.length === 0 && wish.uid === "" && Object.keys(wish.extra).length === 0) return undefined;
  throw badRequest(`requested ${inGo(wish)} without impersonating a user name`);
}

/** Whether nothing but a user is wished for: the rest follows from who that is. */
export function wishesUserOnly({ uid, groups, extra }: Wish): boolean {
  return uid === "" && groups.length === 0 && Object.keys(extra).length === 0;
}

function readExtra(headers: NodeJS.Dict<string[]>): Readonly<Record<string, readonly string[]>> {
  const out: Record<string, readonly string[]> = {};
  for (const [name, values] of Object.entries(headers)) {
    if (!name.startsWith(EXTRA) || values === undefined) continue;
    Object.defineProperty(out, unescaped(name.slice(EXTRA.length)), { value: values, enumerable: true });
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

/** As Go prints a user, which is what clients are shown. */
function inGo({ user, uid, groups, extra }: Wish): string {
  const list = (texts: readonly string[]) =>
    `[]string{${texts.map((text) => JSON.stringify(text)).join(", ")}}`;
  const pairs = Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`);
  const fields = [
    `Name:${JSON.stringify(user)}`,
    `UID:${JSON.stringify(uid)}`,
    `Groups:${groups.length === 0 ? "[]string(nil)" : list(groups)}`,
    `Extra:${pairs.length === 0 ? "map[string][]string(nil)" : `map[string][]string{${pairs.sort().join(", ")}}`}`,
  ];
  return `&user.DefaultInfo{${fields.join(", ")}}`;
}
