import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { openKernel } from "#kernel/open";
import type { Clock } from "#life/clock";
import { removeCgroups } from "./cgroups.ts";
import { holdLab } from "./hold.ts";
import { checkName, LAB_ROOTS } from "./layout.ts";
import { deleteMachines } from "./machines.ts";
import { checkRoot } from "./preflight.ts";
import { killProcesses } from "./processes.ts";
import { labNames } from "./record.ts";

export interface DownOptions {
  readonly name: string;
  readonly write: (text: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Removes a lab whole: its processes, namespaces and files, whatever was killed before. Nothing there is success. */
export async function down({ name, write, clock, signal }: DownOptions): Promise<void> {
  checkRoot("./twill down");
  checkName(name);
  const [dir, pins] = [join(LAB_ROOTS.state, name), join(LAB_ROOTS.run, name)];
  if (!existsSync(dir) && !existsSync(pins)) {
    const others = labNames();
    write(
      `There is no lab "${name}"${others.length > 0 ? `; there is: ${others.join(", ")} (--name)` : ""}\n`,
    );
    return;
  }
  using _hold = await holdLab(name);
  using kernel = openKernel();
  const count = await killProcesses(dir, { clock, signal });
  await removeCgroups(name, clock);
  deleteMachines(kernel, { dir, pins });
  if (existsSync(dir)) throw new Fault("StillThere", `Cannot remove ${dir}; remove it by hand`);
  write(`Removed lab "${name}": ended ${count} processes, deleted its namespaces and files\n`);
}
