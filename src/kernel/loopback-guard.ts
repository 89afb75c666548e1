/** Lets packets from 127.0.0.1 be translated to other machines, and nothing of 127.0.0.0/8 in or out besides: with the kernel's
 *  `route_localnet` alone a neighbour could reach what listens on loopback (CVE-2020-8558). IPv4 only: IPv6 refuses what comes
 *  back for ::1 before any rule sees it, and has no such setting. */
import { isFault } from "#fault/fault";
import { CLAIMS } from "./claims.ts";
import type { NetKernel } from "./kernel.ts";

const TABLE = `ip ${CLAIMS.tables.loopback}`;
/** Of all interfaces, since answers come back by any: bridges and tunnels of pods and the node's own. */
const SETTING = "net/ipv4/conf/all/route_localnet";
/** A chain without rules that says: the setting was off before us. */
const WAS_OFF = "was-off";

/** Before anything else looks at a packet (-300), and after all translation (300). Answers to translated packets carry another
 *  address at the first and are loopback's only later. */
function program(wasOff: boolean): string {
  return `table ${TABLE} {
  chain from-outside {
    type filter hook prerouting priority -300; policy accept;
    iif != "lo" ip daddr 127.0.0.0/8 drop
    iif != "lo" ip saddr 127.0.0.0/8 drop
  }
  chain to-outside {
    type filter hook postrouting priority 300; policy accept;
    oif != "lo" ip saddr 127.0.0.0/8 drop
  }${wasOff ? `\n  chain ${WAS_OFF} {\n  }` : ""}
}
`;
}

type Guarded = Pick<NetKernel, "nft" | "sysctl">;

/** What is known of the setting from before us, for as long as somebody keeps loopback open: the guard, which says it too, may be
 *  taken away. */
export interface LoopbackPast {
  wasOff?: boolean;
}

/** Guard first, then the setting. @returns what was done, in words; nothing where all stood. @throws {Fault} the kernel's refusal */
export function openLoopback({ nft, sysctl }: Guarded, past: LoopbackPast = {}): readonly string[] {
  const standing = listGuard(nft);
  const isOn = sysctl.read(SETTING) === "1";
  const done: string[] = [];
  past.wasOff ??= standing === undefined ? !isOn : standing.includes(WAS_OFF);
  const { wasOff } = past;
  if (standing === undefined || !isWhole(standing)) {
    nft.run(`add table ${TABLE}\ndelete table ${TABLE}\n${program(wasOff)}`);
    done.push(`table ${TABLE}`);
  }
  if (!isOn) {
    sysctl.write(SETTING, 1);
    done.push(`${SETTING} = 1`);
  }
  return done;
}

/** The setting first, as it was before us, then the guard. @returns what was done, in words; nothing where there was no guard.
 *  @throws {Fault} the kernel's refusal */
export function closeLoopback({ nft, sysctl }: Guarded): readonly string[] {
  const standing = listGuard(nft);
  if (standing === undefined) return [];
  const done: string[] = [];
  if (standing.includes(WAS_OFF)) {
    sysctl.write(SETTING, 0);
    done.push(`${SETTING} = 0`);
  }
  nft.run(`delete table ${TABLE}`);
  return [...done, `no table ${TABLE}`];
}

/** Its three rules, however nft prints the hooks. */
function isWhole(text: string): boolean {
  return (text.match(/127\.0\.0\.0\/8 drop/g) ?? []).length === 3;
}

function listGuard(nft: NetKernel["nft"]): string | undefined {
  try {
    return nft.list(`list table ${TABLE}`);
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}
