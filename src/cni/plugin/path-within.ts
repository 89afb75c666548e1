import { readlinkSync } from "node:fs";
import { join } from "node:path";

/** As many as the kernel follows. */
const MOST_LINKS = 40;
/** Such as `net:[4026531840]`: a name of the kernel's for what only opening the link reaches. */
const MAGIC = /^[a-z_]+:\[\d+\]$/;

/** Where a process whose root is `root` finds `path`, for us: `/proc/<pid>/root` alone does not do, because a link in there that
 *  begins with `/` (`/var/run`, say) leads to our own root. A path that leads nowhere comes out as one that leads nowhere. */
export function pathWithin(root: string, path: string): string {
  if (root === "") return path;
  const ahead = path.split("/");
  const behind: string[] = [];
  for (let links = 0; ahead.length > 0; ) {
    const name = ahead.shift() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      behind.pop();
      continue;
    }
    const link = linkAt(join(root, ...behind, name));
    if (link === undefined || MAGIC.test(link)) {
      behind.push(name);
      continue;
    }
    if (++links > MOST_LINKS) break;
    if (link.startsWith("/")) behind.length = 0;
    ahead.unshift(...link.split("/"));
  }
  return `${root}/${behind.join("/")}`;
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
