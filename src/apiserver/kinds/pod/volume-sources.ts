import type { PersistentVolumeSpec, Volume } from "#kube/generated/types";
import { parseQuantity } from "#kube/quantity";
import { forbidden, invalid, notSupported, problems, required, tooLong } from "../field/error.ts";
import { labelProblems, subdomainProblems } from "../field/names.ts";
import { between } from "../field/numbers.ts";
import { validateInnerPath, validateNoBacksteps } from "../field/paths.ts";
import type { FieldError } from "../kind.ts";
import { validateDownwardFile, validateMode } from "./downward-validation.ts";
import { validateItems, validateProjected } from "./projected-validation.ts";

/** What the sources of pods' volumes and of persistent volumes have in common. */
type Sources = {
  readonly [K in keyof Volume | keyof PersistentVolumeSpec]?:
    | (K extends keyof Volume ? Volume[K] : never)
    | (K extends keyof PersistentVolumeSpec ? PersistentVolumeSpec[K] : never);
};
type SourceName = keyof Sources & string;

/** Fields without which a source leads nowhere. */
const REQUIRED: Readonly<Partial<Record<SourceName, readonly string[]>>> = {
  gitRepo: ["repository"],
  gcePersistentDisk: ["pdName"],
  awsElasticBlockStore: ["volumeID"],
  secret: ["secretName"],
  nfs: ["server", "path"],
  iscsi: ["targetPortal", "iqn"],
  glusterfs: ["endpoints", "path"],
  persistentVolumeClaim: ["claimName"],
  rbd: ["monitors", "image"],
  cinder: ["volumeID"],
  cephfs: ["monitors"],
  quobyte: ["registry", "volume"],
  flexVolume: ["driver"],
  configMap: ["name"],
  azureFile: ["secretName", "shareName"],
  vsphereVolume: ["volumePath"],
  photonPersistentDisk: ["pdID"],
  portworxVolume: ["volumeID"],
  azureDisk: ["diskName", "diskURI"],
  storageos: ["volumeName"],
  scaleIO: ["gateway", "system", "volumeName"],
};

/** In complaints, some sources go by older names. */
const PATHS: Readonly<Partial<Record<SourceName, string>>> = { gcePersistentDisk: "persistentDisk" };

const HOST_PATH_TYPES = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];
const DISK_KINDS = ["Dedicated", "Managed", "Shared"];
const CACHING_MODES = ["None", "ReadOnly", "ReadWrite"];
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"];
const PARTITION_RULE = "must be between 0 and 255, inclusive; 0 means not partitioned";
const PAIR_RULE = "must be a host:port pair or multiple pairs separated by commas";

/** What is wrong with the one source that is given. */
export function validateVolumeSource(
  path: string,
  type: SourceName,
  sources: Sources,
): readonly FieldError[] {
  const at = `${path}.${PATHS[type] ?? type}`;
  const source = sources[type] as unknown as Readonly<Record<string, unknown>>;
  const missing = (REQUIRED[type] ?? []).filter((field) => isBlank(source[field]));
  return [
    ...missing.map((field) => required(`${at}.${field}`, field === "registry" ? PAIR_RULE : "")),
    ...validateRest(at, type, sources),
  ];
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === "" || (Array.isArray(value) && value.length === 0);
}

function validateRest(at: string, type: SourceName, sources: Sources): readonly FieldError[] {
  switch (type) {
    case "emptyDir":
      return validateSizeLimit(`${at}.sizeLimit`, sources.emptyDir?.sizeLimit);
    case "hostPath":
      return validateHostPath(at, sources.hostPath);
    case "gitRepo":
      return validateInnerPath(`${at}.directory`, sources.gitRepo?.directory ?? "");
    case "gcePersistentDisk":
      return validatePartition(at, sources.gcePersistentDisk?.partition);
    case "awsElasticBlockStore":
      return validatePartition(at, sources.awsElasticBlockStore?.partition);
    case "secret":
      return validateFiles(at, sources.secret);
    case "configMap":
      return validateFiles(at, sources.configMap);
    case "nfs":
      return sources.nfs?.path.startsWith("/")
        ? []
        : [invalid(`${at}.path`, sources.nfs?.path ?? "", "must be an absolute path")];
    case "iscsi":
      return validateIscsi(at, sources.iscsi);
    case "fc":
      return validateFibre(at, sources.fc);
    case "flocker":
      return validateFlocker(at, sources.flocker);
    case "quobyte":
      return validateQuobyte(at, sources.quobyte);
    case "flexVolume":
      return validateFlexOptions(at, sources.flexVolume?.options);
    case "azureDisk":
      return validateAzureDisk(at, sources.azureDisk);
    case "downwardAPI":
      return [
        ...validateMode(`${at}.defaultMode`, sources.downwardAPI?.defaultMode),
        ...(sources.downwardAPI?.items ?? []).flatMap((file) => validateDownwardFile(at, file)),
      ];
    case "projected":
      return sources.projected ? validateProjected(at, sources.projected) : [];
    case "csi":
      return validateDriverName(`${at}.driver`, sources.csi?.driver);
    case "image":
      return validateImage(at, sources.image);
    case "local":
      return validateLocal(at, sources.local);
    case "storageos":
      return validateLabelName(`${at}.volumeName`, sources.storageos?.volumeName);
    default:
      return [];
  }
}

function validateLabelName(path: string, name: string | undefined): readonly FieldError[] {
  return name ? problems(path, name, labelProblems(name)) : [];
}

function validateSizeLimit(path: string, limit: string | number | undefined): readonly FieldError[] {
  const nanos = limit === undefined ? 0n : (parseQuantity(String(limit))?.nanos ?? 0n);
  return nanos < 0n ? [forbidden(path, "SizeLimit field must be a valid resource quantity")] : [];
}

function validateHostPath(at: string, source: Sources["hostPath"]): readonly FieldError[] {
  if (!source?.path) return [required(`${at}.path`)];
  const errors = [...validateNoBacksteps(`${at}.path`, source.path)];
  if (source.type !== undefined && !HOST_PATH_TYPES.includes(source.type))
    errors.push(notSupported(`${at}.type`, source.type, HOST_PATH_TYPES));
  return errors;
}

function validatePartition(at: string, partition: number | undefined): readonly FieldError[] {
  return between(`${at}.partition`, partition, 0, 255).map((error) => ({ ...error, detail: PARTITION_RULE }));
}

function validateFiles(at: string, source: Sources["secret"] | Sources["configMap"]): readonly FieldError[] {
  return [
    ...validateMode(`${at}.defaultMode`, source?.defaultMode),
    ...validateItems(`${at}.items`, source?.items),
  ];
}

const ISCSI_NAMES: readonly (readonly [string, RegExp])[] = [
  ["iqn", /^iqn\.\d{4}-\d{2}\.([a-z0-9]+\.[a-z0-9.-]*)(:[^,;*&$|\s]+)$/],
  ["eui", /^eui\.[\da-fA-F]{16}$/],
  ["naa", /^naa\.([\da-fA-F]{16}|[\da-fA-F]{32})$/],
];

function validateIscsi(at: string, source: Sources["iscsi"]): readonly FieldError[] {
  if (source === undefined) return [];
  const errors: FieldError[] = [];
  const checkName = (field: string, name: string | undefined) => {
    if (!name) return;
    const rule = ISCSI_NAMES.find(([prefix]) => name.startsWith(prefix));
    if (rule === undefined)
      errors.push(invalid(`${at}.${field}`, name, "must be valid format starting with iqn, eui, or naa"));
    else if (!rule[1].test(name)) errors.push(invalid(`${at}.${field}`, name, "must be valid format"));
  };
  checkName("iqn", source.iqn);
  errors.push(...between(`${at}.lun`, source.lun, 0, 255));
  if ((source.chapAuthDiscovery || source.chapAuthSession) && source.secretRef === undefined)
    errors.push(required(`${at}.secretRef`));
  checkName("initiatorname", source.initiatorName);
  return errors;
}

function validateFibre(at: string, source: Sources["fc"]): readonly FieldError[] {
  const targets = source?.targetWWNs ?? [];
  const wwids = source?.wwids ?? [];
  if (targets.length === 0)
    return wwids.length > 0
      ? []
      : [required(`${at}.targetWWNs`, "must specify either targetWWNs or wwids, but not both")];
  const both = "targetWWNs and wwids can not be specified simultaneously";
  return [
    ...(wwids.length > 0 ? [invalid(`${at}.targetWWNs`, targets, both)] : []),
    ...(source?.lun === undefined
      ? [required(`${at}.lun`, "lun is required if targetWWNs is specified")]
      : between(`${at}.lun`, source.lun, 0, 255)),
  ];
}

function validateFlocker(at: string, source: Sources["flocker"]): readonly FieldError[] {
  const { datasetName = "", datasetUUID = "" } = source ?? {};
  const errors: FieldError[] = [];
  if (datasetName === "" && datasetUUID === "")
    errors.push(required(at, "one of datasetName and datasetUUID is required"));
  if (datasetName !== "" && datasetUUID !== "")
    errors.push(invalid(at, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
  if (datasetName.includes("/"))
    errors.push(invalid(`${at}.datasetName`, datasetName, "must not contain '/'"));
  return errors;
}

function validateQuobyte(at: string, source: Sources["quobyte"]): readonly FieldError[] {
  const { registry = "", tenant = "" } = source ?? {};
  if (tenant.length >= 65)
    return [required(`${at}.tenant`, "must be a UUID and may not exceed a length of 64 characters")];
  const isPair = (text: string) => /^(?:\[[^\]]*\]|[^:]*):[^:]*$/.test(text);
  return registry === "" || registry.split(",").every(isPair)
    ? []
    : [invalid(`${at}.registry`, registry, PAIR_RULE)];
}

function validateFlexOptions(
  at: string,
  options: Readonly<Record<string, string>> | undefined,
): readonly FieldError[] {
  const isReserved = (key: string) => {
    const domain = `.${(key.includes("/") ? (key.split("/")[0] ?? "") : key).toLowerCase()}`;
    return domain.endsWith(".kubernetes.io") || domain.endsWith(".k8s.io");
  };
  return Object.keys(options ?? {})
    .filter(isReserved)
    .map((key) => invalid(`${at}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved"));
}

function validateAzureDisk(at: string, source: Sources["azureDisk"]): readonly FieldError[] {
  const { cachingMode, kind, diskURI = "" } = source ?? {};
  const errors: FieldError[] = [];
  if (cachingMode !== undefined && !CACHING_MODES.includes(cachingMode))
    errors.push(notSupported(`${at}.cachingMode`, cachingMode, CACHING_MODES));
  if (kind !== undefined && !DISK_KINDS.includes(kind))
    errors.push(notSupported(`${at}.kind`, kind, DISK_KINDS));
  if (kind === "Managed" && !diskURI.startsWith("/subscriptions/"))
    errors.push(
      notSupported(`${at}.diskURI`, diskURI, [
        "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
      ]),
    );
  if (kind !== undefined && kind !== "Managed" && !diskURI.startsWith("https://"))
    errors.push(
      notSupported(`${at}.diskURI`, diskURI, [
        "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
      ]),
    );
  return errors;
}

function validateImage(at: string, source: Sources["image"]): readonly FieldError[] {
  const { reference = "", pullPolicy } = source ?? {};
  const errors: FieldError[] = [];
  if (reference === "") errors.push(required(`${at}.reference`));
  else if (reference !== reference.trim())
    errors.push(invalid(`${at}.reference`, reference, "must not have leading or trailing whitespace"));
  if (pullPolicy !== undefined && !PULL_POLICIES.includes(pullPolicy))
    errors.push(notSupported(`${at}.pullPolicy`, pullPolicy, PULL_POLICIES));
  return errors;
}

function validateLocal(at: string, source: Sources["local"]): readonly FieldError[] {
  return source?.path ? validateNoBacksteps(`${at}.path`, source.path) : [required(`${at}.path`)];
}

/** The name of a storage driver: a domain of at most 63 characters. */
export function validateDriverName(path: string, name = ""): readonly FieldError[] {
  if (name === "") return [required(path)];
  return [
    ...(name.length > 63 ? [tooLong(path, 63)] : []),
    ...problems(path, name, subdomainProblems(name.toLowerCase())),
  ];
}
