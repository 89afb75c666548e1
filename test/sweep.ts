/** Removes what tests and benches that were killed have left: namespaces and labs that carry the id of a process that is no
 *  more. `node test/sweep.ts`; the checks run it before and after what needs root. */
import { existsSync, readdirSync } from "node:fs";
import { deleteNetns } from "#kernel/netns";
import { removeStaleLabs } from "./lab/lab.ts";

const NETNS_DIR = "/run/netns";

function namesIn(dir: string): readonly string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}

for (const name of namesIn(NETNS_DIR)) {
  const pid = /^tw[a-z]*-(\d+)-/.exec(name)?.[1];
  if (pid !== undefined && !existsSync(`/proc/${pid}`)) deleteNetns(`${NETNS_DIR}/${name}`);
}
removeStaleLabs();
