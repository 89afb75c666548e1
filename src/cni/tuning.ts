import { isFault } from "#fault/fault";
import type { LinkChange, NetKernel } from "#kernel/kernel";
import { CniFault } from "./cni-fault.ts";
import type { Tuning } from "./model.ts";

/** In a setting's name it stands for the interface. */
const PLACEHOLDER = "IFNAME";

/** A sandbox's settings and its interface are as `tuning` says; the MTU is seen to where the cable is made.
 *  @throws {CniFault} "BadRequest"; {NetlinkError}; {SyscallFault} */
export function tuneInside(inside: NetKernel, ifname: string, tuning: Tuning): void {
  for (const [name, value] of settingsOf(ifname, tuning)) {
    try {
      inside.sysctl.write(name, value);
    } catch (error) {
      // Without IPv6 there is nothing of it to set.
      if (isFault(error) && error.code === "ENOENT" && name.startsWith("net/ipv6/") && !hasIpv6(inside))
        continue;
      throw error;
    }
  }
  const change = linkChangeOf(tuning);
  if (Object.keys(change).length === 0) return;
  const link = inside.netlink.findLink(ifname);
  if (!link) throw new CniFault("BadRequest", `Cannot tune ${ifname}: the sandbox has no such interface`);
  inside.netlink.changeLink(link.index, change);
}

/** What of `tuning` does not hold, a sentence each. */
export function untuned(inside: NetKernel, ifname: string, tuning: Tuning): readonly string[] {
  const problems: string[] = [];
  for (const [name, value] of settingsOf(ifname, tuning)) {
    const found = readIfThere(inside, name);
    if (found !== undefined && found !== value.trim().replaceAll(/\s+/g, " "))
      problems.push(`${name} is ${found}, not ${value}`);
  }
  const link = inside.netlink.findLink(ifname);
  for (const [key, value] of Object.entries(linkChangeOf(tuning)))
    if (link && Reflect.get(link, key) !== value) problems.push(`${ifname}: ${key} is not ${value}`);
  return problems;
}

/** Names with slashes, each below `net` and without a way out of it. @throws {CniFault} "BadRequest" */
export function settingsOf(
  ifname: string,
  { sysctls = {} }: Tuning,
): readonly [name: string, value: string][] {
  return Object.entries(sysctls).map(([name, value]) => {
    const parts = name.split(name.includes("/") ? "/" : ".");
    if (
      parts[0] !== "net" ||
      parts.length < 2 ||
      !parts.every((part) => /^[\w.-]+$/.test(part) && !/^\.+$/.test(part))
    )
      throw new CniFault(
        "BadRequest",
        `Cannot set sysctl ${JSON.stringify(name)}: only those below net are a pod's own`,
      );
    return [parts.map((part) => part.replaceAll(PLACEHOLDER, ifname)).join("/"), value];
  });
}

function linkChangeOf(tuning: Tuning): LinkChange {
  const { isPromiscuous, isAllMulticast, sendQueueLength } = tuning;
  return {
    ...(isPromiscuous === undefined ? {} : { isPromiscuous }),
    ...(isAllMulticast === undefined ? {} : { isAllMulticast }),
    ...(sendQueueLength === undefined ? {} : { sendQueueLength }),
  };
}

function hasIpv6(inside: NetKernel): boolean {
  return readIfThere(inside, "net/ipv6/conf/all/forwarding") !== undefined;
}

function readIfThere(inside: NetKernel, name: string): string | undefined {
  try {
    return inside.sysctl.read(name);
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}
