import type { Pod, Volume } from "#kube/generated/types";

/** A disk that a pod's volume names itself, and whether it is only read. Disks behind claims are not meant. */
export interface Disk {
  readonly name: string;
  readonly isReadOnly: boolean;
}

export function disksOf({ spec }: Pod): readonly Disk[] {
  return (spec?.volumes ?? []).flatMap(disksNamed);
}

/** Two pods of one node may only share what both only read. */
export function disksClash(some: readonly Disk[], others: readonly Disk[]): boolean {
  return some.some(({ name, isReadOnly }) =>
    others.some((other) => name === other.name && !(isReadOnly && other.isReadOnly)),
  );
}

function disksNamed({
  awsElasticBlockStore: ebs,
  gcePersistentDisk: gce,
  iscsi,
  rbd,
}: Volume): readonly Disk[] {
  // Amazon's disks are never shared, not even by readers.
  if (ebs) return [{ name: `ebs ${ebs.volumeID}`, isReadOnly: false }];
  if (gce) return [{ name: `gce ${gce.pdName}`, isReadOnly: gce.readOnly ?? false }];
  if (iscsi) return [{ name: `iscsi ${iscsi.iqn} ${iscsi.lun}`, isReadOnly: iscsi.readOnly ?? false }];
  if (!rbd) return [];
  const isReadOnly = rbd.readOnly ?? false;
  return rbd.monitors.map((monitor) => ({
    name: `rbd ${monitor} ${rbd.pool ?? "rbd"} ${rbd.image}`,
    isReadOnly,
  }));
}
