import type { Endpoints } from "#kube/endpoints";
import type { EventRecorder } from "#kube/event-recorder";
import type { EndpointSlice } from "#kube/generated/types";
import { isDeleting } from "#kube/owner";
import { type ControllerContext, openQueue, recorderFor } from "../context.ts";
import { MANAGED_BY, planSlices } from "../endpointslice/plan.ts";
import { SliceWriter } from "../endpointslice/slice-writer.ts";
import { BY_SERVICE, SERVICE_NAME_LABEL } from "../informers.ts";
import { isMirrored, MIRROR_MANAGER, MOST_ADDRESSES, mirrored, mirrorFrame } from "./desired.ts";

/** Keeps slices for the Endpoints that people write themselves, since consumers read slices only. */
export function runEndpointMirror(context: ControllerContext): void {
  const { informers } = context;
  const events = recorderFor(context, "endpoint-slice-mirroring-controller");
  const slices = new SliceWriter(context);
  const queue = openQueue(context, "endpoint-mirror", {
    workers: 5,
    work: (key) => sync(context, { events, slices }, key),
  });
  informers.endpoints.subscribe(({ key }) => queue.add(key));
  informers.services.subscribe(({ key }) => queue.add(key));
  informers.endpointSlices.subscribe((change) => {
    const slice = change.type === "removed" ? change.before : change.object;
    const key = serviceKeyOf(slice);
    if (key !== undefined && slices.concerns(key, change)) queue.add(key);
  });
}

async function sync(
  context: ControllerContext,
  { events, slices }: { readonly events: EventRecorder; readonly slices: SliceWriter },
  key: string,
): Promise<undefined> {
  const { endpoints, services, endpointSlices } = context.informers;
  if (!slices.isSettled(key)) return;
  const standing = endpointSlices
    .byIndex(BY_SERVICE, key)
    .filter((slice) => slice.metadata.labels?.[MANAGED_BY] === MIRROR_MANAGER && !isDeleting(slice));
  const source = endpoints.get(key);
  if (!isMirrored(source, services.get(key))) {
    await slices.apply(key, { create: [], update: [], delete: standing });
    return;
  }
  const { byAddressType, invalid, skipped } = mirrored(source);
  note(events, source, { invalid, skipped });
  for (const [addressType, groups] of byAddressType) {
    const ofType = standing.filter((slice) => slice.addressType === addressType);
    await slices.apply(key, planSlices(mirrorFrame(source), addressType, groups, ofType));
  }
}

function note(
  events: EventRecorder,
  source: Endpoints,
  { invalid, skipped }: { invalid: number; skipped: number },
): void {
  if (invalid > 0) {
    const message = `Skipped ${invalid} invalid IP addresses when mirroring to EndpointSlices`;
    events.record(source, { type: "Warning", reason: "InvalidIPAddress", message });
  }
  if (skipped > 0) {
    const message = `A max of ${MOST_ADDRESSES} addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped} addresses were skipped`;
    events.record(source, { type: "Warning", reason: "TooManyAddressesToMirror", message });
  }
}

function serviceKeyOf({ metadata }: EndpointSlice): string | undefined {
  const { [SERVICE_NAME_LABEL]: service, [MANAGED_BY]: manager } = metadata.labels ?? {};
  return service !== undefined && manager === MIRROR_MANAGER ? `${metadata.namespace}/${service}` : undefined;
}
