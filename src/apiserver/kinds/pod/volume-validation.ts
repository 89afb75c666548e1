import type { ObjectMeta, Volume } from "#kube/generated/types";
import { duplicate, forbidden, invalid, problems, required } from "../field/error.ts";
import { labelProblems, subdomainProblems } from "../field/names.ts";
import type { FieldError } from "../kind.ts";
import { validateClaimTemplate } from "../storage/claim-validation.ts";
import { validateVolumeSource } from "./volume-sources.ts";

/** The pod's volumes by name, those that are right only: what mounts may use. */
export type Volumes = ReadonlyMap<string, Volume>;

/** In the order in which a second one is refused. */
const SOURCES = [
  "emptyDir",
  "hostPath",
  "gitRepo",
  "gcePersistentDisk",
  "awsElasticBlockStore",
  "secret",
  "nfs",
  "iscsi",
  "glusterfs",
  "flocker",
  "persistentVolumeClaim",
  "rbd",
  "cinder",
  "cephfs",
  "quobyte",
  "downwardAPI",
  "fc",
  "flexVolume",
  "configMap",
  "azureFile",
  "vsphereVolume",
  "photonPersistentDisk",
  "portworxVolume",
  "azureDisk",
  "storageos",
  "projected",
  "scaleIO",
  "csi",
  "ephemeral",
  "image",
] as const;

/** What second sources are called in complaints, where not by their field's name. */
const PATHS: Readonly<Record<string, string>> = { downwardAPI: "downwarAPI", cephfs: "cephFS" };

/** What is wrong with the volumes. `metadata` is a pod's; templates have none. */
export function validateVolumes(
  path: string,
  volumes: readonly Volume[] | undefined,
  metadata: ObjectMeta | undefined,
): { readonly errors: readonly FieldError[]; readonly volumes: Volumes } {
  const good = new Map<string, Volume>();
  const errors = (volumes ?? []).flatMap((volume, i) => {
    const at = `${path}[${i}]`;
    const wrong = [
      ...validateOneSource(at, volume, metadata?.name ?? ""),
      ...(volume.name
        ? problems(`${at}.name`, volume.name, labelProblems(volume.name))
        : [required(`${at}.name`)]),
    ];
    if (good.has(volume.name)) wrong.push(duplicate(`${at}.name`, volume.name));
    if (wrong.length === 0) good.set(volume.name, volume);
    return wrong;
  });
  return { errors, volumes: good };
}

function validateOneSource(path: string, volume: Volume, pod: string): readonly FieldError[] {
  const [first, ...more] = SOURCES.filter((type) => volume[type] !== undefined);
  if (first === undefined) return [required(path, "must specify a volume type")];
  return [
    ...(first === "ephemeral"
      ? validateEphemeral(path, volume, pod)
      : validateVolumeSource(path, first, volume)),
    ...(first === "csi" ? validateSecretName(`${path}.csi`, volume.csi?.nodePublishSecretRef) : []),
    ...more.map((type) =>
      forbidden(`${path}.${PATHS[type] ?? type}`, "may not specify more than 1 volume type"),
    ),
  ];
}

function validateSecretName(
  path: string,
  secret: { readonly name?: string | undefined } | undefined,
): readonly FieldError[] {
  if (secret === undefined) return [];
  const { name = "" } = secret;
  return name === ""
    ? [required(`${path}.nodePublishSecretRef.name`)]
    : problems(`${path}.name`, name, subdomainProblems(name));
}

/** The claim is made with the pod, under a name of both. */
function validateEphemeral(path: string, { name, ephemeral }: Volume, pod: string): readonly FieldError[] {
  const at = `${path}.ephemeral.volumeClaimTemplate`;
  const template = ephemeral?.volumeClaimTemplate;
  const errors = template === undefined ? [required(at)] : [...validateClaimTemplate(at, template)];
  if (pod !== "" && name) {
    const claim = `${pod}-${name}`;
    for (const why of subdomainProblems(claim))
      errors.push(invalid(`${path}.name`, name, `PVC name ${JSON.stringify(claim)}: ${why}`));
  }
  return errors;
}
