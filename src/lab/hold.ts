import { Fault } from "#fault/fault";
import { holdName } from "#life/hold-name";

/** Holds a lab for one command at a time. @throws {Fault} Busy */
export async function holdLab(name: string): Promise<Disposable> {
  const hold = await holdName(`twill-lab-${name}`);
  if (hold) return hold;
  throw new Fault(
    "Busy",
    `Cannot touch lab "${name}": another ./twill up or down is at work on it; wait for that to end, or end it with Ctrl-C`,
  );
}
