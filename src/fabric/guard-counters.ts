import { FAMILIES } from "#addr/family";
import { type Ip, ipFromBytes } from "#addr/ip";
import { isFault } from "#fault/fault";
import type { Nft, NftCounter, NftElement } from "#kernel/kernel";
import { guardSet, STRANGER_MS, STRANGERS_KEPT, STRANGERS_TOTAL } from "./guard.ts";

/** What the guard has seen since its program was loaded. A packet is what the kernel handles at once: several segments of one
 *  connection may be one. */
export interface GuardCounters {
  /** Tunnel packets by the node address that sent them. */
  readonly received: ReadonlyMap<Ip, NftCounter>;
  readonly strangers: Strangers;
}

export interface Strangers {
  /** All that came from addresses of no node. */
  readonly total: NftCounter;
  /** By address, the most packets first; those that were heard of within the hour. */
  readonly listed: readonly Stranger[];
  /** Whether more addresses have sent something than are kept: then some are counted in the total only. */
  readonly isFull: boolean;
}

export interface Stranger extends NftCounter {
  readonly ip: Ip;
  /** How long ago the last packet came. */
  readonly lastMs: number;
}

const NONE: NftCounter = { packets: 0, bytes: 0 };

/** @returns nothing while the program is not loaded */
export function readGuardCounters(nft: Pick<Nft, "listElements">): GuardCounters | undefined {
  return whileLoaded(() => ({
    received: countReceived(nft),
    strangers: listStrangers(nft),
  }));
}

/** Those alone, which are few. @returns nothing while the program is not loaded */
export function readStrangers(nft: Pick<Nft, "listElements">): Strangers | undefined {
  return whileLoaded(() => listStrangers(nft));
}

function whileLoaded<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function countReceived(nft: Pick<Nft, "listElements">): ReadonlyMap<Ip, NftCounter> {
  const elements = FAMILIES.flatMap((family) => nft.listElements(guardSet("members", family)));
  return new Map(elements.map(({ key, counter = NONE }) => [ipFromBytes(key), counter]));
}

function listStrangers(nft: Pick<Nft, "listElements">): Strangers {
  const strangers = FAMILIES.map((family) => nft.listElements(guardSet("strangers", family)));
  return {
    total: nft.listElements(STRANGERS_TOTAL).reduce(sum, NONE),
    listed: strangers.flat().map(readStranger).toSorted(byPackets),
    isFull: strangers.some((listed) => listed.length >= STRANGERS_KEPT),
  };
}

function readStranger({ key, counter = NONE, expiresMs = STRANGER_MS }: NftElement): Stranger {
  return { ip: ipFromBytes(key), ...counter, lastMs: Math.max(0, STRANGER_MS - expiresMs) };
}

function byPackets(a: Stranger, b: Stranger): number {
  return b.packets - a.packets || (a.ip < b.ip ? -1 : 1);
}

function sum(a: NftCounter, { counter = NONE }: NftElement): NftCounter {
  return { packets: a.packets + counter.packets, bytes: a.bytes + counter.bytes };
}
