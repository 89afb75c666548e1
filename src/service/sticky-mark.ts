import { CLAIMS } from "#kernel/claims";

/** Layout of a packet's mark while session affinity chooses: bit 31 says that it is one of ours, bits 30 to 15 number the
 *  group, bits 13 to 0 the slot within it (0: none yet), and bit 14 stays the masquerade bit. */
export const STICKY_MARK = {
  flag: CLAIMS.marks.choosing,
  groupMask: 0xffff_8000,
  groupShift: 15,
  /** Highest group and slot. */
  groups: 0xffff,
  slots: 0x3fff,
} as const;

export function groupMark(group: number): number {
  return (STICKY_MARK.flag | (group << STICKY_MARK.groupShift)) >>> 0;
}

export function slotMark(group: number, slot: number): number {
  return (groupMark(group) | slot) >>> 0;
}

export function groupOf(mark: number): number {
  return (mark & ~STICKY_MARK.flag) >>> STICKY_MARK.groupShift;
}

export function slotOf(mark: number): number {
  return mark & STICKY_MARK.slots;
}
