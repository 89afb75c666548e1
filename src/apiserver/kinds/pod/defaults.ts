import type { Draft } from "../kind.ts";

/** An image is pulled each time when its tag says nothing about its content. */
function pullPolicy(image: string): string {
  const [, , tag, digest] = IMAGE.exec(image) ?? [image, image, "unreadable"];
  return tag === "latest" || (tag === undefined && digest === undefined) ? "Always" : "IfNotPresent";
}

/** `[domain/]path[:tag][@digest]`. @see github.com/distribution/reference */
const WORD = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const HOST_PART = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const HOST = `(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const IMAGE = new RegExp(
  `^((?:${HOST}/)?${WORD}(?:/${WORD})*)(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);

/** Fills a pod's or a template's spec. */
export function defaultPodSpec(spec: Draft): void {
  dropUnserved(spec);
  spec.restartPolicy ||= "Always";
  spec.dnsPolicy ||= "ClusterFirst";
  spec.schedulerName ||= "default-scheduler";
  spec.terminationGracePeriodSeconds ??= 30;
  spec.securityContext ??= {};
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount;
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
  for (const container of allContainers(spec)) defaultContainer(container);
}

/** What is behind gates that are closed unless somebody opens them is as if it were unknown. */
function dropUnserved(spec: Draft): void {
  delete spec.schedulingGroup;
  for (const { projected } of spec.volumes ?? [])
    for (const source of projected?.sources ?? []) {
      delete source.clusterTrustBundle;
      delete source.podCertificate;
    }
  for (const { lifecycle } of allContainers(spec)) if (lifecycle) delete lifecycle.stopSignal;
}

/** What is filled in for pods alone, never for templates. */
export function defaultPod(draft: Draft): void {
  if (!draft.spec) return;
  defaultPodSpec(draft.spec);
  draft.spec.enableServiceLinks ??= true;
  if (draft.spec.terminationGracePeriodSeconds < 0) draft.spec.terminationGracePeriodSeconds = 1;
  if (draft.spec.hostNetwork) defaultHostPorts(draft.spec);
  for (const container of allContainers(draft.spec)) {
    const { limits } = container.resources;
    if (!limits) continue;
    container.resources.requests ??= {};
    for (const [name, quantity] of Object.entries(limits)) container.resources.requests[name] ??= quantity;
  }
}

/** On the host's network a container's port is the host's. */
function defaultHostPorts(spec: Draft): void {
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])])
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
}

function allContainers(spec: Draft): readonly Draft[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

function defaultContainer(container: Draft): void {
  container.imagePullPolicy ||= pullPolicy(container.image ?? "");
  container.terminationMessagePath ||= "/dev/termination-log";
  container.terminationMessagePolicy ||= "File";
  container.resources ??= {};
  for (const port of container.ports ?? []) port.protocol ||= "TCP";
  for (const env of container.env ?? [])
    if (env.valueFrom?.fieldRef) env.valueFrom.fieldRef.apiVersion ||= "v1";
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe) defaultProbe(probe);
  for (const hook of [container.lifecycle?.postStart, container.lifecycle?.preStop])
    if (hook) defaultHandler(hook);
}

function defaultProbe(probe: Draft): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  defaultHandler(probe);
}

function defaultHandler(handler: Draft): void {
  if (handler.httpGet) {
    handler.httpGet.path ||= "/";
    handler.httpGet.scheme ||= "HTTP";
  }
  if (handler.grpc) handler.grpc.service ??= "";
}

const MODE = 0o644;
/** What sources of older kinds of storage take for granted. */
export const SOURCE_DEFAULTS: Readonly<Record<string, Readonly<Record<string, string | boolean>>>> = {
  iscsi: { iscsiInterface: "default" },
  rbd: { pool: "rbd", user: "admin", keyring: "/etc/ceph/keyring" },
  azureDisk: { cachingMode: "ReadWrite", kind: "Shared", fsType: "ext4", readOnly: false },
  scaleIO: { storageMode: "ThinProvisioned", fsType: "xfs" },
};

function defaultVolume(volume: Draft): void {
  const sources = Object.keys(volume).filter((key) => key !== "name" && volume[key] != null);
  if (sources.length === 0) volume.emptyDir = {};
  for (const name of ["secret", "configMap", "downwardAPI", "projected"])
    if (volume[name]) volume[name].defaultMode ??= MODE;
  if (volume.hostPath) volume.hostPath.type ??= "";
  for (const [name, values] of Object.entries(SOURCE_DEFAULTS)) {
    const source = volume[name];
    if (source) for (const [field, value] of Object.entries(values)) source[field] ??= value;
  }
  if (volume.ephemeral?.volumeClaimTemplate) {
    volume.ephemeral.volumeClaimTemplate.spec ??= {};
    volume.ephemeral.volumeClaimTemplate.spec.volumeMode ??= "Filesystem";
  }
  if (volume.image?.reference) volume.image.pullPolicy ||= pullPolicy(volume.image.reference);
  defaultFieldRefs(volume.downwardAPI?.items);
  for (const source of volume.projected?.sources ?? []) {
    if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600;
    defaultFieldRefs(source.downwardAPI?.items);
  }
}

function defaultFieldRefs(items: readonly Draft[] | undefined): void {
  for (const item of items ?? []) if (item.fieldRef) item.fieldRef.apiVersion ||= "v1";
}
