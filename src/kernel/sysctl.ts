import { readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { SyscallFault } from "#fault/kernel-fault";
import type { Sysctl } from "./kernel.ts";

/** Settings under /proc/sys. `inside` runs each access in the namespace they belong to: the kernel decides whose
 *  `net.*` a thread sees at each open, by the thread. */
export function openSysctl(inside: <T>(f: () => T) => T): Sysctl {
  const readHere = (name: string) =>
    settled(attempt("read setting", name, () => readFileSync(sysctlPath(name), "utf8")));
  return {
    read: (name) => inside(() => readHere(name)),
    write(name, value) {
      inside(() => {
        if (readHere(name) === settled(String(value))) return;
        attempt("write setting", name, () => writeFileSync(sysctlPath(name), String(value)));
      });
    },
  };
}

/** `net.ipv4.ip_forward` or, where a part holds dots, `net/ipv4/conf/eth0.1/forwarding`, as sysctl(8) takes them. */
export function sysctlPath(name: string): string {
  const parts = name.split(name.includes("/") ? "/" : ".");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    throw new Error(`broken invariant: ${JSON.stringify(name)} is no setting's name`);
  return `/proc/sys/${parts.join("/")}`;
}

/** The kernel prints pairs such as port ranges with a tab between. */
function settled(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ");
}

function attempt<T>(call: string, name: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    throw new SyscallFault(call, name, errnoOf(error));
  }
}

function errnoOf(error: unknown): number {
  const errno = error instanceof Error && "errno" in error ? error.errno : undefined;
  return typeof errno === "number" ? Math.abs(errno) : constants.errno.EIO;
}
