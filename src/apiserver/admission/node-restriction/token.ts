import type { Pod } from "#kube/generated/types";
import { CSI_DRIVERS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS } from "#kube/resources";
import type { Draft, WriteContext } from "../../kinds/kind.ts";
import { notFound } from "../../status.ts";
import type { NodeRule } from "../node-restriction.ts";

/** A node may ask for tokens of accounts, but only bound to a pod that runs on it, and only for audiences that the pod asks for. */
export const refuseToken: NodeRule = (request, node, context) => {
  if (request.subresource !== "token" || request.operation !== "create") return undefined;
  const bound: Draft = request.draft.spec?.boundObjectRef;
  if (bound?.kind !== "Pod" || bound.apiVersion !== "v1" || !bound.name)
    return "node requested token not bound to a pod";
  if (!bound.uid) return "node requested token with a pod binding without a uid";
  const pod = context.read(PODS, request.namespace, bound.name);
  if (pod === undefined) throw notFound({ group: "", plural: "pod" }, bound.name);
  if (pod.metadata.uid !== bound.uid)
    return `the UID in the bound object reference (${bound.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  if (pod.spec?.nodeName !== node) return "node requested token bound to a pod scheduled on a different node";
  const audiences: readonly string[] = request.draft.spec?.audiences ?? [];
  if (audiences.length > 1) return "node may only request 0 or 1 audiences";
  const [audience = ""] = audiences;
  return audiencesOf(pod, context).has(audience)
    ? undefined
    : `audience "${audience}" not found in pod spec volume, system:node:${node} is not authorized to request tokens for this audience`;
};

/** The audiences of a pod's projected tokens ("" is the API's own), and those that its CSI drivers ask for. */
function audiencesOf(pod: Pod, context: WriteContext): ReadonlySet<string> {
  const volumes = pod.spec?.volumes ?? [];
  const projected = volumes
    .flatMap(({ projected: volume }) => volume?.sources ?? [])
    .flatMap(({ serviceAccountToken }) => serviceAccountToken ?? []);
  const drivers = volumes.flatMap((volume) => [
    volume.csi?.driver,
    driverOf(volume.persistentVolumeClaim?.claimName, pod, context),
  ]);
  return new Set([
    ...projected.map(({ audience }) => audience ?? ""),
    ...drivers.flatMap((driver) => (driver === undefined ? [] : driverAudiences(driver, context))),
  ]);
}

function driverOf(claim: string | undefined, pod: Pod, context: WriteContext): string | undefined {
  if (claim === undefined) return undefined;
  const volume = context.read(PERSISTENT_VOLUME_CLAIMS, pod.metadata.namespace, claim)?.spec?.volumeName;
  return volume ? context.read(PERSISTENT_VOLUMES, undefined, volume)?.spec?.csi?.driver : undefined;
}

function driverAudiences(driver: string, context: WriteContext): readonly string[] {
  return (context.read(CSI_DRIVERS, undefined, driver)?.spec.tokenRequests ?? []).map(
    ({ audience }) => audience,
  );
}
