/** Keeps announcements that nobody here asked for inside the kernel: the neighbours and links of other devices alone (ARP, the
 *  cables of pods) would wake us hundreds of times a second. It lets through more than is wanted, never less.
 *  @see linux/rtnetlink.h; loads are big-endian, and netlink's numbers little-endian, so all of them are swapped */
import { type BpfStep, encodeBpf, JUMP_IF, LOAD, RETURN } from "#wire/classic-bpf";
import { RTM_DELADDR, RTM_NEWADDR } from "#wire/rtnetlink-address";
import { RTM_DELLINK, RTM_NEWLINK } from "#wire/rtnetlink-link";
import { RTM_DELNEIGH, RTM_NEWNEIGH } from "#wire/rtnetlink-neighbor";
import { RTM_DELNETCONF, RTM_NEWNETCONF } from "#wire/rtnetlink-netconf";
import { RTM_DELROUTE, RTM_NEWROUTE } from "#wire/rtnetlink-route";

export interface HeardLinks {
  /** Of links, addresses and settings. */
  readonly names: readonly string[];
  readonly indexes: readonly number[];
  /** Whether global addresses of all links are. */
  readonly everyAddress: boolean;
  /** Of neighbours and forwarding entries. */
  readonly neighborIndexes: readonly number[];
}

const MESSAGE_TYPE = 4;
/** The family, which stands first in every announcement, and what stands next in most: a link's index. */
const FAMILY = 16;
const ADDRESS_SCOPE = 19;
const INDEX = 20;
const ROUTE_TABLE = 20;
const NETCONF_INDEX = 24;
const FIRST_ATTRIBUTE_TYPE = 34;
const LINK_NAME = 36;
const IFLA_IFNAME = 3;
const AF_UNSPEC = 0;
const SCOPE_GLOBAL = 0;
const TABLE_MAIN = 254;
/** Settings of all links, and of those to come. */
const NETCONF_ALL = -1;
const NETCONF_DEFAULT = -2;
const NAME_BYTES = 4;

const ALL: BpfStep = [RETURN, 0xffff_ffff];
const NOTHING: BpfStep = [RETURN, 0];

/** A program for SO_ATTACH_FILTER. */
export function changeFilter({ names, indexes, everyAddress, neighborIndexes }: HeardLinks): Uint8Array {
  const settings = [NETCONF_ALL, NETCONF_DEFAULT, ...indexes];
  return encodeBpf([
    [LOAD.half, MESSAGE_TYPE],
    ...onTypes(RTM_NEWNEIGH, RTM_DELNEIGH, [[LOAD.word, INDEX], ...passing(neighborIndexes.map(swap32))]),
    ...onTypes(RTM_NEWLINK, RTM_DELLINK, linkSteps(names, indexes)),
    ...onTypes(RTM_NEWADDR, RTM_DELADDR, [
      [LOAD.byte, ADDRESS_SCOPE],
      [JUMP_IF.equal, SCOPE_GLOBAL, 1, 0],
      NOTHING,
      ...(everyAddress ? [ALL] : []),
      [LOAD.word, INDEX],
      ...passing(indexes.map(swap32)),
    ]),
    ...onTypes(RTM_NEWROUTE, RTM_DELROUTE, [[LOAD.byte, ROUTE_TABLE], ...passing([TABLE_MAIN])]),
    ...onTypes(RTM_NEWNETCONF, RTM_DELNETCONF, [
      [LOAD.word, NETCONF_INDEX],
      ...passing(settings.map(swap32)),
    ]),
    ALL,
  ]);
}

/** A link that comes has an index nobody knows, so its name decides: by its first four bytes, which a filter can compare at
 *  once. Bridge ports tell of themselves in another family. */
function linkSteps(names: readonly string[], indexes: readonly number[]): readonly BpfStep[] {
  return [
    [LOAD.byte, FAMILY],
    [JUMP_IF.equal, AF_UNSPEC, 1, 0],
    NOTHING,
    [LOAD.word, INDEX],
    ...unlessPassing(indexes.map(swap32)),
    [LOAD.half, FIRST_ATTRIBUTE_TYPE],
    [JUMP_IF.equal, swap16(IFLA_IFNAME), 1, 0],
    ALL,
    [LOAD.word, LINK_NAME],
    ...passing([...new Set(names.map(startOfName))]),
  ];
}

/** Decides about two types of message; all others go on behind it, their type still loaded. `decide` must return. */
function onTypes(one: number, other: number, decide: readonly BpfStep[]): readonly BpfStep[] {
  return [[JUMP_IF.equal, swap16(one), 1, 0], [JUMP_IF.equal, swap16(other), 0, decide.length], ...decide];
}

function passing(values: readonly number[]): readonly BpfStep[] {
  return [...unlessPassing(values), NOTHING];
}

function unlessPassing(values: readonly number[]): readonly BpfStep[] {
  return values.flatMap((value): readonly BpfStep[] => [[JUMP_IF.equal, value, 0, 1], ALL]);
}

/** A shorter name is followed by zeros. */
function startOfName(name: string): number {
  const bytes = Buffer.alloc(NAME_BYTES);
  bytes.write(name);
  return bytes.readUInt32BE();
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

function swap32(value: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes.readUInt32BE();
}
