import type { PersistentVolumeClaim } from "#kube/generated/types";
import { keyOf } from "#kube/object";
import { classOf, type VolumeSource } from "./volume-source.ts";

/** What a node attaches for the claims, by driver: each volume once, however many use it. */
export function attachments(
  claims: readonly PersistentVolumeClaim[],
  source: VolumeSource,
): ReadonlyMap<string, ReadonlySet<string>> {
  const handles = new Map<string, Set<string>>();
  for (const claim of claims) {
    const attached = attachmentOf(claim, source);
    if (attached === undefined) continue;
    const ofDriver = handles.get(attached.driver) ?? new Set();
    handles.set(attached.driver, ofDriver.add(attached.handle));
  }
  return handles;
}

/** A claim without a volume will get one from its class's driver. */
function attachmentOf(
  claim: PersistentVolumeClaim,
  source: VolumeSource,
): { readonly driver: string; readonly handle: string } | undefined {
  const volume = source.volume(claim.spec?.volumeName ?? "");
  const csi = volume?.spec?.csi;
  if (csi) return { driver: csi.driver, handle: csi.volumeHandle };
  if (volume) return undefined;
  const driver = source.storageClass(classOf(claim))?.provisioner;
  return driver === undefined ? undefined : { driver, handle: `${driver}-${keyOf(claim)}` };
}
