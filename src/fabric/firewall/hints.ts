import { existsSync, realpathSync } from "node:fs";
import { isFault } from "#fault/fault";
import { findExecutable } from "#kernel/find-executable";
import type { FirewallHints } from "./find.ts";

/** Where systemd says that nm-cloud-setup starts with the machine. */
const CLOUD_SETUP = [
  "/etc/systemd/system/multi-user.target.wants/nm-cloud-setup.service",
  "/etc/systemd/system/NetworkManager.service.wants/nm-cloud-setup.service",
  "/etc/systemd/system/timers.target.wants/nm-cloud-setup.timer",
];

/** What this machine has installed. Nothing is run. */
export function readHints(): FirewallHints {
  return { iptablesIsOld: isIptablesOld(), hasCloudSetup: CLOUD_SETUP.some((path) => existsSync(path)) };
}

/** `iptables` is a link to the program that writes nftables, or to the one that writes the old tables. */
function isIptablesOld(): boolean {
  try {
    const path = findExecutable({ command: "iptables", env: {}, cwd: "/" });
    return realpathSync(path).includes("legacy");
  } catch (error) {
    if (isFault(error) || (error instanceof Error && "code" in error)) return false;
    throw error;
  }
}
