import { isFault } from "#fault/fault";
import type { NetKernel } from "#kernel/kernel";
import { isStrict, LOOSE, reversePathSetting } from "./reverse-path.ts";

/** A tunnel's device takes no routes from routers, and packets whatever way their answers go: while nodes change their backend
 *  these may leave by another device. To be called before it is up. */
export function hardenDevice(kernel: Pick<NetKernel, "sysctl">, name: string): void {
  if (isStrict(kernel, name)) kernel.sysctl.write(reversePathSetting(name), LOOSE);
  try {
    kernel.sysctl.write(`net/ipv6/conf/${name}/accept_ra`, 0);
  } catch (error) {
    // A machine without IPv6 has no such setting, and needs none.
    if (!isFault(error) || error.code !== "ENOENT") throw error;
  }
}
