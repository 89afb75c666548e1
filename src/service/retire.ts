import { FAMILIES, FAMILY } from "#addr/family";
import { CLAIMS } from "#kernel/claims";
import type { NetKernel } from "#kernel/kernel";
import { closeLoopback } from "#kernel/loopback-guard";

/** Takes away what an earlier run of service routing left in the kernel. Connections that stand go on: only new ones ask the
 *  tables. @returns what was done, in words; nothing where there was nothing. @throws {Fault} the kernel's refusal */
export function retireServices(kernel: Pick<NetKernel, "nft" | "sysctl">): readonly string[] {
  const tables = FAMILIES.map((family) => `${FAMILY[family].nft} ${CLAIMS.tables.service}`);
  const listed = kernel.nft.list("list tables");
  const standing = tables.filter((table) => listed.split("\n").includes(`table ${table}`));
  const closed = closeLoopback(kernel);
  if (standing.length > 0) kernel.nft.run(standing.map((table) => `delete table ${table}\n`).join(""));
  return [...closed, ...standing.map((table) => `no table ${table}`)];
}
