import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Users and groups of every carried image, as its `/etc/passwd` and `/etc/group` name them. Numbers that they lack may be used
 *  all the same; the host's own users are none of a container's business. */
export const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/usr/sbin/nologin
`;

export const GROUP = `root:x:0:
daemon:x:1:
tty:x:5:
nonroot:x:65532:
nobody:x:65534:
`;

export interface User {
  readonly name: string;
  readonly gid: number;
  readonly home: string;
}

export function userOf(uid: number, passwd = PASSWD): User | undefined {
  const fields = rows(passwd).find((row) => Number(row[2]) === uid);
  if (!fields) return undefined;
  const [name = "", , , gid = "0", , home = "/"] = fields;
  return { name, gid: Number(gid), home };
}

/** The groups that name the user as a member. */
export function groupsOf(
  uid: number,
  { passwd, group } = { passwd: PASSWD, group: GROUP },
): readonly number[] {
  const name = userOf(uid, passwd)?.name;
  return rows(group).flatMap(([, , gid, members = ""]) =>
    name !== undefined && members.split(",").includes(name) ? [Number(gid)] : [],
  );
}

function rows(text: string): readonly (readonly string[])[] {
  return text.split("\n").flatMap((line) => (line.includes(":") ? [line.split(":")] : []));
}

/** Writes both as files that containers see. */
export function writeUsers(dir: string): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "passwd"), PASSWD, { mode: 0o644 });
  writeFileSync(join(dir, "group"), GROUP, { mode: 0o644 });
}
