import type { Cidr } from "#addr/cidr";
import { FAMILIES } from "#addr/family";
import { familyOf } from "#addr/ip";
import { isFault } from "#fault/fault";
import { CLAIMS } from "#kernel/claims";
import type { NetKernel, NftElement, NftElementOp } from "#kernel/kernel";
import { countRules } from "#kernel/nft-listing";
import type { AttachmentKey } from "./model.ts";
import { type PortClaim, PortClaims } from "./port-claims.ts";
import {
  PORT_PROTOCOLS,
  type PortEntry,
  type PortProgram,
  type PortSet,
  portElement,
  portProgram,
  portSet,
  targetElement,
} from "./port-program.ts";

const SETS: readonly PortSet[] = ["ports", "addresses", "targets"];

/** `set family` to key (in hexadecimal) to element. */
type World = ReadonlyMap<string, ReadonlyMap<string, NftElement>>;

export interface HostPortsOptions {
  readonly kernel: NetKernel;
  readonly bridge: string;
  readonly podCidrs: readonly Cidr[];
  readonly dir: string;
}

/** Ports of the node that lead to pods. Of two claims on one port the later one has it, and when that goes the earlier one
 *  gets it back: what stands always follows from the claims, so a late removal takes nothing from a successor. */
export class HostPorts {
  readonly #kernel: NetKernel;
  readonly #claims: PortClaims;
  readonly #program: PortProgram;
  #known: World = emptyWorld();
  /** Of the tables when we last looked closely. */
  #generation = 0;

  /** Loads the program where it does not stand, and puts right what does. */
  constructor({ kernel, bridge, podCidrs, dir }: HostPortsOptions) {
    this.#kernel = kernel;
    this.#claims = new PortClaims(dir);
    this.#program = portProgram(bridge, podCidrs);
    this.#takeOver();
  }

  list(): readonly PortClaim[] {
    return this.#claims.list();
  }

  entriesOf(key: AttachmentKey): readonly PortEntry[] {
    return this.#claims.find(key)?.entries ?? [];
  }

  /** Host ports that the kernel does not have as the claims say; of a later claim's port the earlier one has nothing. */
  missingOf(key: AttachmentKey): readonly number[] {
    const [want, found] = [desired(this.#claims.list()), observe(this.#kernel)];
    return this.entriesOf(key)
      .filter((entry) =>
        placesOf({ ...key, entries: [entry] }).some((place) => {
          const [wanted, standing] = [
            want.get(place.set)?.get(place.key),
            found.get(place.set)?.get(place.key),
          ];
          return !wanted || !standing || dataText(wanted) !== dataText(standing);
        }),
      )
      .map(({ hostPort }) => hostPort);
  }

  publish(claim: PortClaim): void {
    this.#claims.put(claim);
    this.#settle();
    for (const entry of claim.entries) if (entry.protocol === "udp") this.#forgetFlows(entry);
  }

  /** Absent is success. */
  withdraw(key: AttachmentKey): void {
    if (!this.#claims.has(key)) return;
    this.#claims.delete(key);
    this.#settle();
  }

  /** What stands follows from the claims again. Costs one request while nobody changes anything. @returns whether it did not */
  repair(): boolean {
    const generation = this.#kernel.nft.generation();
    if (generation === this.#generation) return false;
    const found = this.#takeOver();
    this.#generation = generation;
    return found;
  }

  #takeOver(): boolean {
    const wasLoaded = isLoaded(this.#kernel, this.#program);
    if (!wasLoaded) this.#kernel.nft.run(this.#program.text);
    this.#known = observe(this.#kernel);
    return this.#apply() || !wasLoaded;
  }

  /** A refusal may mean that what stands is not what we think: then we look, once. */
  #settle(): void {
    try {
      this.#apply();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#takeOver();
    }
  }

  /** @returns whether there was anything to do */
  #apply(): boolean {
    const want = desired(this.#claims.list());
    const ops = plan(want, this.#known);
    if (ops.length > 0) this.#kernel.nft.changeElements(ops);
    this.#known = want;
    return ops.length > 0;
  }

  /** A client that kept sending while nobody had the port has a flow that leads nowhere; UDP would keep it alive for ever. */
  #forgetFlows({ hostIp, hostPort, ip, protocol }: PortEntry): void {
    const filter = { family: familyOf(ip), protocol: PORT_PROTOCOLS[protocol] };
    for (const flow of this.#kernel.conntrack.listFlows(filter)) {
      const { destination, destinationPort } = flow.original;
      if (destinationPort === hostPort && (hostIp === undefined || destination === hostIp))
        this.#kernel.conntrack.deleteFlow(flow);
    }
  }
}

function desired(claims: readonly PortClaim[]): World {
  const world = emptyWorld();
  for (const claim of claims)
    for (const { set, key, element } of placesOf(claim)) world.get(set)?.set(key, element);
  return world;
}

/** An element, where it goes. */
interface Place {
  /** `set family`, and the key in hexadecimal. */
  readonly set: string;
  readonly key: string;
  readonly element: NftElement;
}

/** A claim never changes, and each pod that comes asks for all claims: so each is worked out once. */
const places = new WeakMap<PortClaim, readonly Place[]>();

function placesOf(claim: PortClaim): readonly Place[] {
  const known = places.get(claim) ?? claim.entries.flatMap(entryPlaces);
  places.set(claim, known);
  return known;
}

function entryPlaces(entry: PortEntry): readonly Place[] {
  const place = (set: PortSet, element: NftElement): Place => ({
    set: `${set} ${familyOf(entry.ip)}`,
    key: hexOf(element.key),
    element,
  });
  return [
    place(entry.hostIp === undefined ? "ports" : "addresses", portElement(entry)),
    place("targets", targetElement(entry.ip)),
  ];
}

/** One transaction; within a set what goes is named first, for an element that changes is one that goes and one that comes. */
function plan(want: World, known: World): readonly NftElementOp[] {
  return SETS.flatMap((set) =>
    FAMILIES.flatMap((family) => {
      const [to, from] = [want.get(`${set} ${family}`), known.get(`${set} ${family}`)];
      const ref = portSet(set, family);
      const gone = missing(from, to);
      const come = missing(to, from);
      const ops: NftElementOp[] = [];
      if (gone.length > 0) ops.push({ op: "delete", set: ref, elements: gone });
      if (come.length > 0) ops.push({ op: "add", set: ref, elements: come });
      return ops;
    }),
  );
}

/** The elements of `a` that `b` has not, or has otherwise. */
function missing(
  a: ReadonlyMap<string, NftElement> | undefined,
  b: ReadonlyMap<string, NftElement> | undefined,
): readonly NftElement[] {
  return [...(a ?? [])]
    .filter(([key, element]) => {
      const other = b?.get(key);
      return other !== element && (other === undefined || dataText(other) !== dataText(element));
    })
    .map(([, element]) => element);
}

function observe(kernel: NetKernel): World {
  const world = emptyWorld();
  for (const set of SETS)
    for (const family of FAMILIES)
      for (const element of kernel.nft.listElements(portSet(set, family)))
        world.get(`${set} ${family}`)?.set(hexOf(element.key), element);
  return world;
}

function emptyWorld(): Map<string, Map<string, NftElement>> {
  return new Map(SETS.flatMap((set) => FAMILIES.map((family) => [`${set} ${family}`, new Map()] as const)));
}

/** Whether it is there with all of its rules: `nft flush table` takes those only. */
function isLoaded(kernel: NetKernel, { name, rules }: PortProgram): boolean {
  try {
    const listing = kernel.nft.list(`list table inet ${CLAIMS.tables.hostPorts}`);
    return listing.includes(`chain ${name} `) && countRules(listing) === rules;
  } catch (error) {
    if (isFault(error) && error.code === "ENOENT") return false;
    throw error;
  }
}

function dataText({ data }: NftElement): string {
  return data?.kind === "value" ? hexOf(data.bytes) : "";
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
