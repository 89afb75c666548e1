/** Who asks. */
export interface User {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const ANONYMOUS: User = { name: "system:anonymous", groups: ["system:unauthenticated"] };
/** The server itself, when it writes on its own account. */
export const API_SERVER_USER: User = { name: "system:apiserver", groups: ["system:masters"] };

export function isMaster(user: User): boolean {
  return user.groups.includes("system:masters");
}
