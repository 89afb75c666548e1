import { isDeepStrictEqual } from "node:util";
import type { Endpoint, EndpointSlice, Service } from "#kube/generated/types";
import { controllerRef } from "#kube/owner";
import { SERVICES } from "#kube/resources";
import { SERVICE_NAME_LABEL } from "../informers.ts";
import { type PortGroup, portsKey } from "./desired.ts";

export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
export const MANAGER = "endpointslice-controller.k8s.io";
const HEADLESS = "service.kubernetes.io/headless";
const MAX_ENDPOINTS = 100;

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
  service: Service,
  addressType: string,
  groups: readonly PortGroup[],
  existing: readonly EndpointSlice[],
): SlicePlan {
  const wanted = groups.length === 0 ? [{ ports: [], endpoints: [] }] : groups;
  const standing = new Map<string, EndpointSlice[]>();
  for (const slice of existing) {
    const key = portsKey(slice.ports);
    standing.set(key, [...(standing.get(key) ?? []), slice]);
  }
  const boxes: Box[] = [];
  const spare: EndpointSlice[] = [];
  for (const group of wanted) {
    const key = portsKey(group.ports);
    const packed = packGroup(group, standing.get(key) ?? [], groups.length === 0);
    standing.delete(key);
    boxes.push(...packed.boxes);
    spare.push(...packed.emptied);
  }
  spare.push(...[...standing.values()].flat());
  return toPlan(service, addressType, boxes, spare);
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

function packGroup(
  group: PortGroup,
  slices: readonly EndpointSlice[],
  isPlaceholder: boolean,
): { boxes: readonly Box[]; emptied: readonly EndpointSlice[] } {
  const left = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint] as const));
  const boxes = slices.map((slice) => keepStanding(slice, group, left));
  const fresh = [...left.values()];
  const roomiest = (a: Box, b: Box) => b.endpoints.length - a.endpoints.length;
  for (const box of boxes.filter(({ isChanged }) => isChanged).sort(roomiest))
    box.endpoints.push(...fresh.splice(0, MAX_ENDPOINTS - box.endpoints.length));
  if (fresh.length > 0 && fresh.length < MAX_ENDPOINTS) {
    const fits = boxes.filter(
      ({ isChanged, endpoints }) => !isChanged && endpoints.length + fresh.length <= MAX_ENDPOINTS,
    );
    const tightest = fits.sort(roomiest)[0];
    if (tightest) {
      tightest.endpoints.push(...fresh.splice(0));
      tightest.isChanged = true;
    }
  }
  while (fresh.length > 0) boxes.push(newBox(group, fresh.splice(0, MAX_ENDPOINTS)));
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
  service: Service,
  addressType: string,
  boxes: readonly Box[],
  spare: EndpointSlice[],
): SlicePlan {
  const labels = sliceLabels(service);
  const plan = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], delete: spare };
  for (const { slice, ports, endpoints, isChanged } of boxes) {
    const target = slice ?? spare.shift();
    if (target === undefined) {
      plan.create.push({ metadata: draftMetadata(service, labels), addressType, endpoints, ports });
    } else if (isChanged || !isDeepStrictEqual(target.metadata.labels ?? {}, labels)) {
      plan.update.push({ ...target, metadata: { ...target.metadata, labels }, endpoints, ports });
    }
  }
  return plan;
}

function draftMetadata(service: Service, labels: Record<string, string>): EndpointSlice["metadata"] {
  const { name, namespace } = service.metadata;
  const ownerReferences = [controllerRef(SERVICES, service)];
  return { name: "", generateName: `${name}-`, namespace, labels, ownerReferences };
}

function endpointKey({ addresses, hostname, targetRef }: Endpoint): string {
  return `${addresses.join()}|${hostname ?? ""}|${targetRef?.namespace ?? ""}/${targetRef?.name ?? ""}/${targetRef?.uid ?? ""}`;
}

function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  const view = ({ conditions, nodeName, zone, hints }: Endpoint) => [
    conditions?.ready ?? true,
    conditions?.serving ?? conditions?.ready ?? true,
    conditions?.terminating ?? false,
    nodeName,
    zone,
    hints ?? {},
  ];
  return isDeepStrictEqual(view(a), view(b));
}
