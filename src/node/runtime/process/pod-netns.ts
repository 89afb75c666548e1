import { randomUUID } from "node:crypto";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import type { Kernel } from "#kernel/kernel";

const NSFS_MAGIC = 0x6e736673;
/** A pod may bind any port and ping without privileges, as containerd 2 has it. */
const POD_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0\t2147483647",
};

/** A fresh path of the form `/run/netns/cni-<uuid>`. */
export function netnsPath(netnsDir: string): string {
  return join(netnsDir, `cni-${randomUUID()}`);
}

/** Makes the pod's network namespace at `path`, with its sysctls set; it lasts until deleted, whoever made it. */
export function makePodNetns(kernel: Kernel, path: string, sysctls: Readonly<Record<string, string>>): void {
  using netns = kernel.createNetns(path);
  using inside = kernel.openIn(netns);
  for (const [name, value] of Object.entries({ ...POD_SYSCTLS, ...sysctls })) {
    if (name.startsWith("net.")) inside.sysctl.write(name, value);
  }
}

/** Whether a network namespace is still mounted at `path`. */
export function isNetnsMounted(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}
