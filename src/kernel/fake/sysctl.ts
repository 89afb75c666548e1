import { constants } from "node:os";
import { SyscallFault } from "#fault/kernel-fault";
import type { Sysctl } from "../kernel.ts";
import { sysctlPath } from "../sysctl.ts";
import type { FakeNamespace } from "./namespace.ts";

/** Settings start as the kernel's `0`; those of a link exist only while the link does. */
export function fakeSysctl(here: FakeNamespace): Sysctl {
  const check = (call: string, name: string): string => {
    const path = sysctlPath(name);
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
