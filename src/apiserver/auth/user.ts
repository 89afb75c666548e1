/** Who asks. */
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const AUTHENTICATED = "system:authenticated";
export const UNAUTHENTICATED = "system:unauthenticated";
export const ANONYMOUS: User = { name: "system:anonymous", groups: [UNAUTHENTICATED] };
/** The server itself, when it writes on its own account. */
export const API_SERVER_USER: User = { name: "system:apiserver", groups: ["system:masters"] };

export function isMaster(user: Pick<User, "groups">): boolean {
  return user.groups.includes("system:masters");
}

/** The user, known to be who they say they are; unless that is nobody in particular. */
export function authenticated(user: User): User {
  const isSaid = user.groups.includes(AUTHENTICATED) || user.groups.includes(UNAUTHENTICATED);
  return isSaid || user.name === ANONYMOUS.name ? user : { ...user, groups: [...user.groups, AUTHENTICATED] };
}
