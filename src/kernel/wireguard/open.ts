import { Fault } from "#fault/fault";
import type { Link, Netlink, Wireguard } from "../kernel.ts";
import { isRefusal } from "../netlink-error.ts";
import type { WireguardFolders } from "./folders.ts";
import { InKernelWireguard } from "./in-kernel.ts";
import { noWireguard } from "./no-wireguard.ts";
import { findWireguardGo } from "./spawn.ts";
import { UserspaceWireguard } from "./userspace.ts";

export interface WireguardPlace {
  /** Of the namespace that the devices are in. */
  readonly netlink: Pick<Netlink, "findLink" | "addLink" | "deleteLink">;
  /** Runs what it is given in that namespace. */
  readonly inside: <T>(f: () => T) => T;
  readonly folders: WireguardFolders;
}

/** Kinds as the kernel names them: its own WireGuard, and what wireguard-go makes. */
const IN_KERNEL = "wireguard";
const USERSPACE = "tun";

/** WireGuard in the namespace this thread is in now. Which of the two carries a device shows in its link's kind, so nothing is
 *  remembered and any run of ours finds what another one made. */
export function openWireguard({ netlink, inside, folders }: WireguardPlace): Wireguard {
  const inKernel = new InKernelWireguard();
  const userspace = new UserspaceWireguard(folders, inside);
  let carrier: ReturnType<Wireguard["carrier"]> | undefined;
  const probe = () => (inKernel.isThere() ? "kernel" : findWireguardGo() ? "userspace" : "none");
  const carrierOf = (link: Link | undefined) =>
    link?.kind === IN_KERNEL ? inKernel : link?.kind === USERSPACE ? userspace : undefined;
  return {
    carrier({ again = false } = {}) {
      if (again || carrier === undefined) carrier = probe();
      return carrier;
    },
    read: (name) => carrierOf(netlink.findLink(name))?.read(name),
    configure(name, change) {
      const found = carrierOf(netlink.findLink(name));
      if (!found) throw new Fault("ENODEV", `Cannot configure WireGuard device ${name}: no such device`);
      found.configure(name, change);
    },
    start(name) {
      if (carrierOf(netlink.findLink(name))?.read(name)) return;
      if (addInKernel(netlink, name)) return;
      if (!findWireguardGo()) throw noWireguard(name);
      userspace.start(name);
    },
    remove(name) {
      const link = netlink.findLink(name);
      const deleteLink = () => {
        if (link) netlink.deleteLink(link.index);
      };
      if (link?.kind === IN_KERNEL) deleteLink();
      else userspace.remove(name, deleteLink);
    },
    [Symbol.dispose]: () => inKernel[Symbol.dispose](),
  };
}

/** @returns whether this kernel has WireGuard; one that was built without says EOPNOTSUPP, and loads no module. */
function addInKernel(netlink: WireguardPlace["netlink"], name: string): boolean {
  try {
    netlink.addLink({ kind: IN_KERNEL, name });
    return true;
  } catch (error) {
    if (!isRefusal(error, "EOPNOTSUPP")) throw error;
    return false;
  }
}
