import { isDeepStrictEqual } from "node:util";
import type { Endpoint, EndpointSlice, Service } from "#kube/generated/types";
import { controllerRef } from "#kube/owner";
import { SERVICES } from "#kube/resources";
import { SERVICE_NAME_LABEL } from "../informers.ts";
import { type PortGroup, portsKey } from "./desired.ts";

export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
export const MANAGER = "endpointslice-controller.k8s.io";
const HEADLESS = "service.kubernetes.io/headless";

/** What all slices of one owner have in common. */
export interface SliceFrame {
  /** Of new slices: without labels. */
  readonly metadata: EndpointSlice["metadata"];
  readonly labels: Readonly<Record<string, string>>;
  readonly maxEndpoints: number;
  /** Whether one empty slice stands while there is nothing to list. */
  readonly hasPlaceholder: boolean;
}

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly delete: readonly EndpointSlice[];
}

/** A slice being filled. */
interface Box {
  readonly slice: EndpointSlice | undefined;
  readonly ports: PortGroup["ports"];
  endpoints: Endpoint[];
  isChanged: boolean;
}

/** What to write so that the slices of one address type hold the groups. What stands stays where it is: endpoints never move
 *  between slices for tidiness, since each move costs every node an update. */
export function planSlices(
  frame: SliceFrame,
  addressType: string,
  groups: readonly PortGroup[],
  existing: readonly EndpointSlice[],
): SlicePlan {
  const isPlaceholder = groups.length === 0 && frame.hasPlaceholder;
  const wanted = isPlaceholder ? [{ ports: [], endpoints: [] }] : groups;
  const standing = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    const key = portsKey(slice.ports);
    standing.set(key, [...(standing.get(key) ?? []), slice]);
  }
  const boxes: Box[] = [];
  const spare: EndpointSlice[] = [];
  for (const group of wanted) {
    const key = portsKey(group.ports);
    const packed = packGroup(frame, group, standing.get(key) ?? [], isPlaceholder);
    standing.delete(key);
    boxes.push(...packed.boxes);
    spare.push(...packed.emptied);
  }
  spare.push(...[...standing.values()].flat());
  return toPlan(frame, addressType, boxes, spare);
}

/** The labels of the Service's slices: its own, and those by which consumers find them. */
export function sliceLabels({ metadata, spec }: Service): Record<string, string> {
  const { [HEADLESS]: _, ...own } = metadata.labels ?? {};
  const isHeadless = !spec?.clusterIP || spec.clusterIP === "None";
  return {
    ...own,
    [SERVICE_NAME_LABEL]: metadata.name,
    [MANAGED_BY]: MANAGER,
    ...(isHeadless ? { [HEADLESS]: "" } : {}),
  };
}

/** The frame of a Service's slices. */
export function serviceFrame(service: Service, maxEndpoints: number): SliceFrame {
  const { name, namespace } = service.metadata;
  const ownerReferences = [controllerRef(SERVICES, service)];
  return {
    metadata: { name: "", generateName: `${name}-`, namespace, ownerReferences },
    labels: sliceLabels(service),
    maxEndpoints,
    hasPlaceholder: true,
  };
}

function packGroup(
  { maxEndpoints }: SliceFrame,
  group: PortGroup,
  slices: readonly EndpointSlice[],
  isPlaceholder: boolean,
): { boxes: readonly Box[]; emptied: readonly EndpointSlice[] } {
  const left = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint] as const));
  const boxes = slices.map((slice) => keepStanding(slice, group, left));
  const fresh = [...left.values()];
  const roomiest = (a: Box, b: Box) => b.endpoints.length - a.endpoints.length;
  for (const box of boxes.filter(({ isChanged }) => isChanged).sort(roomiest))
    box.endpoints.push(...fresh.splice(0, maxEndpoints - box.endpoints.length));
  if (fresh.length > 0 && fresh.length < maxEndpoints) {
    const fits = boxes.filter(
      ({ isChanged, endpoints }) => !isChanged && endpoints.length + fresh.length <= maxEndpoints,
    );
    const tightest = fits.sort(roomiest)[0];
    if (tightest) {
      tightest.endpoints.push(...fresh.splice(0));
      tightest.isChanged = true;
    }
  }
  while (fresh.length > 0) boxes.push(newBox(group, fresh.splice(0, maxEndpoints)));
  if (isPlaceholder && boxes.length === 0) boxes.push(newBox(group, []));
  const spared = isPlaceholder ? boxes.slice(1) : boxes.filter(({ endpoints }) => endpoints.length === 0);
  const emptied = spared.flatMap(({ slice }) => slice ?? []);
  return { boxes: boxes.filter((box) => !spared.includes(box)), emptied };
}

/** The slice with the endpoints of it that are still wanted; those are taken out of `left`. */
function keepStanding(slice: EndpointSlice, group: PortGroup, left: Map<string, Endpoint>): Box {
  const endpoints: Endpoint[] = [];
  let isChanged = false;
  for (const old of slice.endpoints ?? []) {
    const key = endpointKey(old);
    const wanted = left.get(key);
    if (wanted !== undefined) {
      left.delete(key);
      endpoints.push(wanted);
    }
    if (wanted === undefined || !isSameEndpoint(old, wanted)) isChanged = true;
  }
  return { slice, ports: group.ports, endpoints, isChanged };
}

function newBox(group: PortGroup, endpoints: Endpoint[]): Box {
  return { slice: undefined, ports: group.ports, endpoints, isChanged: true };
}

/** New slices take over the names of spare ones: one update instead of a delete and a create. */
function toPlan(
  { metadata, labels }: SliceFrame,
  addressType: string,
  boxes: readonly Box[],
  spare: EndpointSlice[],
): SlicePlan {
  const plan = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], delete: spare };
  for (const { slice, ports, endpoints, isChanged } of boxes) {
    const target = slice ?? spare.shift();
    if (target === undefined) {
      plan.create.push({ metadata: { ...metadata, labels }, addressType, endpoints, ports });
    } else if (isChanged || !isDressed(target, metadata.annotations, labels)) {
      const annotations = metadata.annotations ?? target.metadata.annotations;
      const dressed = { ...target.metadata, labels, ...(annotations ? { annotations } : {}) };
      plan.update.push({ ...target, metadata: dressed, endpoints, ports });
    }
  }
  return plan;
}

/** Whether the slice has the labels it should, and the annotations where they are given. */
function isDressed(
  { metadata }: EndpointSlice,
  annotations: EndpointSlice["metadata"]["annotations"],
  labels: SliceFrame["labels"],
): boolean {
  if (!isDeepStrictEqual(metadata.labels ?? {}, labels)) return false;
  return annotations === undefined || isDeepStrictEqual(metadata.annotations ?? {}, annotations);
}

/** Who an endpoint is, whatever its state. */
export function endpointKey({ addresses, hostname, targetRef }: Endpoint): string {
  return `${addresses.join()}|${hostname ?? ""}|${targetRef?.namespace ?? ""}/${targetRef?.name ?? ""}/${targetRef?.uid ?? ""}`;
}

function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  const readyOf = ({ conditions }: Endpoint) => conditions?.ready ?? true;
  return (
    readyOf(a) === readyOf(b) &&
    (a.conditions?.serving ?? readyOf(a)) === (b.conditions?.serving ?? readyOf(b)) &&
    (a.conditions?.terminating ?? false) === (b.conditions?.terminating ?? false) &&
    a.nodeName === b.nodeName &&
    a.zone === b.zone &&
    (a.hints === b.hints || isDeepStrictEqual(a.hints ?? {}, b.hints ?? {}))
  );
}
