import { constants } from "node:os";
import { SyscallFault } from "#fault/kernel-fault";
import type { KernelModule, Sysctl } from "../kernel.ts";
import { sysctlPath } from "../sysctl.ts";
import type { FakeNamespace } from "./namespace.ts";

/** Settings start as the kernel's `0`; those of a link exist only while the link does, those of bridges' filtering only with
 *  its module. */
export function fakeSysctl(here: FakeNamespace, missing: ReadonlySet<KernelModule>): Sysctl {
  const check = (call: string, name: string): string => {
    const path = sysctlPath(name);
    if (path.startsWith("/proc/sys/net/bridge/") && missing.has("br_netfilter"))
      throw new SyscallFault(call, name, constants.errno.ENOENT);
    const link = /^\/proc\/sys\/net\/ipv[46]\/(?:conf|neigh)\/([^/]+)\//.exec(path)?.[1];
    if (link !== undefined && link !== "all" && link !== "default" && !here.findLink(link))
      throw new SyscallFault(call, name, constants.errno.ENOENT);
    return path;
  };
  return {
    read: (name) => here.settings.get(check("read setting", name)) ?? "0",
    write: (name, value) => void here.settings.set(check("write setting", name), String(value)),
  };
}
