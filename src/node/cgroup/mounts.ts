import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Where cgroups can be made: a mount for each controller (version 1), or one for all (version 2). */
export type CgroupMounts =
  | {
      readonly version: 1;
      /** Controller to mount point; several controllers may share one. */
      readonly controllers: ReadonlyMap<string, string>;
      /** All mount points: a runtime puts its containers into each. */
      readonly all: readonly string[];
    }
  | { readonly version: 2; readonly root: string };

/** What `/proc/self/mountinfo` says of cgroups; undefined where there are none that count processors and memory. With both versions the
 *  first counts: its controllers are there. @see cgroups(7) */
export function parseCgroupMounts(mountinfo: string): CgroupMounts | undefined {
  const controllers = new Map<string, string>();
  const all: string[] = [];
  let unified: string | undefined;
  for (const line of mountinfo.split("\n")) {
    const [head = "", tail = ""] = line.split(" - ");
    const point = unescaped(head.split(" ")[4] ?? "");
    const [type, , options = ""] = tail.split(" ");
    if (type === "cgroup2") unified ??= point;
    if (type !== "cgroup") continue;
    if (!all.includes(point)) all.push(point);
    for (const name of options.split(",")) if (!controllers.has(name)) controllers.set(name, point);
  }
  // Where both are mounted, runc joins its containers to the second one's tree too.
  if (controllers.has("cpu") && controllers.has("memory"))
    return { version: 1, controllers, all: unified === undefined ? all : [...all, unified] };
  return unified === undefined ? undefined : { version: 2, root: unified };
}

/** The mounts of this machine, as this process sees them. */
export function findCgroupMounts(): CgroupMounts | undefined {
  const mounts = parseCgroupMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  if (mounts?.version !== 2) return mounts;
  const file = join(mounts.root, "cgroup.controllers");
  const names = existsSync(file) ? readFileSync(file, "utf8").trim().split(" ") : [];
  return names.includes("cpu") && names.includes("memory") ? mounts : undefined;
}

/** Spaces and the like are octal there. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
