import type { Container, EphemeralContainer, PersistentVolume, Pod, Volume } from "#kube/generated/types";

/** An object that a pod, or a volume, names. */
export interface Reference {
  readonly kind:
    | "pod"
    | "secret"
    | "configmap"
    | "serviceaccount"
    | "persistentvolumeclaim"
    | "persistentvolume"
    | "volumeattachment";
  readonly namespace: string | undefined;
  readonly name: string;
}

const MIRROR = "kubernetes.io/config.mirror";

/** Everything that the node of a pod has to read to run it, the pod itself included; each once. A mirror pod leads to nothing but itself: a node makes
 *  those, and must not give itself rights by it. */
export function podReferences(pod: Pod): readonly Reference[] {
  const { namespace, name, annotations } = pod.metadata;
  const itself: Reference = { kind: "pod", namespace, name };
  const { spec } = pod;
  if (spec === undefined || Object.hasOwn(annotations ?? {}, MIRROR)) return [itself];
  const named = (kind: Reference["kind"], names: readonly (string | undefined)[]) =>
    [...new Set(names)].flatMap((each) => (each ? [{ kind, namespace, name: each }] : []));
  const containers = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ];
  const volumes = spec.volumes ?? [];
  return [
    itself,
    ...named("serviceaccount", [spec.serviceAccountName]),
    ...named("secret", [
      ...(spec.imagePullSecrets ?? []).map((secret) => secret.name),
      ...containers.flatMap(containerSecrets),
      ...volumes.flatMap(secretsOf),
    ]),
    ...named("configmap", [...containers.flatMap(containerConfigMaps), ...volumes.flatMap(configMapsOf)]),
    ...named(
      "persistentvolumeclaim",
      volumes.map((volume) => claimOf(volume, name)),
    ),
  ];
}

type AnyContainer = Container | EphemeralContainer;

function containerSecrets({ env = [], envFrom = [] }: AnyContainer): readonly (string | undefined)[] {
  return [
    ...env.map(({ valueFrom }) => valueFrom?.secretKeyRef?.name),
    ...envFrom.map(({ secretRef }) => secretRef?.name),
  ];
}

function containerConfigMaps({ env = [], envFrom = [] }: AnyContainer): readonly (string | undefined)[] {
  return [
    ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef?.name),
    ...envFrom.map(({ configMapRef }) => configMapRef?.name),
  ];
}

function secretsOf(volume: Volume): readonly (string | undefined)[] {
  return [
    volume.secret?.secretName,
    ...(volume.projected?.sources ?? []).map(({ secret }) => secret?.name),
    volume.csi?.nodePublishSecretRef?.name,
    volume.azureFile?.secretName,
    volume.cephfs?.secretRef?.name,
    volume.cinder?.secretRef?.name,
    volume.flexVolume?.secretRef?.name,
    volume.iscsi?.secretRef?.name,
    volume.rbd?.secretRef?.name,
    volume.scaleIO?.secretRef.name,
    volume.storageos?.secretRef?.name,
  ];
}

function configMapsOf(volume: Volume): readonly (string | undefined)[] {
  return [
    volume.configMap?.name,
    ...(volume.projected?.sources ?? []).map(({ configMap }) => configMap?.name),
  ];
}

/** A claim made for an ephemeral volume has the pod's name before the volume's. */
function claimOf(volume: Volume, pod: string): string | undefined {
  return volume.ephemeral === undefined ? volume.persistentVolumeClaim?.claimName : `${pod}-${volume.name}`;
}

/** The secrets a volume is mounted with; one without a namespace of its own is in the claim's. */
export function volumeSecrets({ spec }: PersistentVolume, claimNamespace: string): readonly Reference[] {
  const refs = [
    spec?.csi?.nodePublishSecretRef,
    spec?.csi?.nodeStageSecretRef,
    spec?.csi?.nodeExpandSecretRef,
    spec?.cephfs?.secretRef,
    spec?.cinder?.secretRef,
    spec?.flexVolume?.secretRef,
    spec?.iscsi?.secretRef,
    spec?.rbd?.secretRef,
    spec?.scaleIO?.secretRef,
    spec?.storageos?.secretRef,
    spec?.azureFile && { name: spec.azureFile.secretName, namespace: spec.azureFile.secretNamespace },
  ];
  return refs.flatMap((ref) =>
    ref?.name
      ? [{ kind: "secret" as const, namespace: ref.namespace || claimNamespace, name: ref.name }]
      : [],
  );
}
