import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#fault/fault";
import { hasOwnFileSystem, unmountAll } from "#kernel/mount";
import type { Container, Pod, Volume, VolumeProjection } from "#kube/generated/types";
import type { DownwardFacts } from "../env/downward.ts";
import { type Payload, type PayloadFile, writeAtomically } from "./atomic-dir.ts";
import { mountMemory, prepareEmptyDir } from "./empty-dir.ts";
import { prepareHostPath } from "./host-path.ts";
import { makeNestedMountPoints } from "./nested-mounts.ts";
import { configMapFiles, DEFAULT_MODE, downwardFiles, safePath, secretFiles } from "./payload.ts";
import type { References } from "./references.ts";
import type { Tokens } from "./tokens.ts";

/** What they hold is the API's, and no container writes to them. */
const CONTENT_KINDS = ["configMap", "secret", "projected", "downwardAPI"] as const;

export interface VolumeDeps {
  /** `$DATA/agent/kubelet/pods`. */
  readonly podsDir: string;
  readonly references: References;
  readonly tokens: Tokens;
  /** What pods may use, by resource name. */
  readonly allocatable: Readonly<Record<string, string>>;
  /** Whether the runtime can mount images. */
  readonly hasImageVolumes: () => boolean;
  /** Keeps what the API tells in memory, as it may be secret; false where no file system can be mounted. */
  readonly isInMemory: boolean;
}

/** Where each volume of a pod is on the host, and when its content has to be looked at again (milliseconds since the epoch). */
export interface Prepared {
  readonly paths: ReadonlyMap<string, string>;
  readonly refreshAt: number | undefined;
}

/** Brings the volumes of pods into being and keeps their content current. */
export class Volumes {
  readonly #deps: VolumeDeps;

  constructor(deps: VolumeDeps) {
    this.#deps = deps;
  }

  /** Makes the volumes that the pod's containers use stand with what they should hold now; doing it again updates them in place.
   *  @throws {Fault} "FailedMount", naming the volume */
  async prepare(pod: Pod, facts: DownwardFacts): Promise<Prepared> {
    const paths = new Map<string, string>();
    let refreshAt: number | undefined;
    for (const volume of usedVolumes(pod)) {
      try {
        const { path, expires } = await this.#prepareOne(pod, volume, facts);
        paths.set(volume.name, path);
        if (expires !== undefined) refreshAt = Math.min(refreshAt ?? expires, expires);
      } catch (error) {
        throw new Fault(
          "FailedMount",
          `MountVolume.SetUp failed for volume "${volume.name}" : ${error instanceof Error ? error.message : String(error)}`,
          { cause: error },
        );
      }
    }
    return { paths, refreshAt };
  }

  /** Takes everything of the pod away: mounts, and then files. */
  remove(podUid: string): void {
    const dir = join(this.#deps.podsDir, podUid);
    unmountAll(dir);
    rmSync(dir, { recursive: true, force: true });
    this.#deps.tokens.forget(podUid);
  }

  async #prepareOne(
    pod: Pod,
    volume: Volume,
    facts: DownwardFacts,
  ): Promise<{ path: string; expires?: number | undefined }> {
    const uid = pod.metadata.uid ?? "";
    if (volume.hostPath) {
      prepareHostPath(volume.hostPath);
      return { path: volume.hostPath.path };
    }
    // The runtime mounts it; nothing of it is on the host.
    if (volume.image && this.#deps.hasImageVolumes()) return { path: "" };
    const fsGroup = pod.spec?.securityContext?.fsGroup;
    if (volume.emptyDir) {
      const path = this.#path(uid, "empty-dir", volume.name);
      prepareEmptyDir(path, volume.emptyDir, { pod, allocatable: this.#deps.allocatable });
      return { path };
    }
    const kind = CONTENT_KINDS.find((name) => volume[name] !== undefined);
    if (!kind) throw new Error(`this node cannot mount this kind of volume (${kindName(volume)})`);
    const path = this.#path(uid, FOLDER[kind], volume.name);
    const { payload, expires } = await this.#payload(pod, volume, facts);
    if (kind !== "configMap" && this.#deps.isInMemory && !hasOwnFileSystem(path)) {
      mkdirSync(path, { recursive: true, mode: 0o755 });
      mountMemory(path, "mode=1777");
    }
    writeAtomically(path, payload, { gid: fsGroup });
    makeNestedMountPoints(path, volume.name, pod);
    return { path, expires };
  }

  async #payload(
    pod: Pod,
    volume: Volume,
    facts: DownwardFacts,
  ): Promise<{ payload: Payload; expires?: number | undefined }> {
    const { configMap, secret, projected, downwardAPI } = volume;
    const mode = (configMap ?? secret ?? projected ?? downwardAPI)?.defaultMode ?? DEFAULT_MODE;
    if (configMap) return { payload: this.#configMap(pod, configMap, mode) };
    if (secret) return { payload: this.#secret(pod, { ...secret, name: secret.secretName }, mode) };
    if (downwardAPI) return { payload: downwardFiles(downwardAPI.items ?? [], { pod, facts, mode }) };
    const payload = new Map<string, PayloadFile>();
    let expires: number | undefined;
    for (const source of projected?.sources ?? []) {
      const part = await this.#projection(pod, source, facts, mode);
      for (const [path, file] of part.payload) payload.set(path, file);
      if (part.expires !== undefined) expires = Math.min(expires ?? part.expires, part.expires);
    }
    return { payload, expires };
  }

  async #projection(
    pod: Pod,
    source: VolumeProjection,
    facts: DownwardFacts,
    mode: number,
  ): Promise<{ payload: Payload; expires?: number }> {
    const { configMap, secret, downwardAPI, serviceAccountToken } = source;
    if (configMap) return { payload: this.#configMap(pod, configMap, mode) };
    if (secret) return { payload: this.#secret(pod, secret, mode) };
    if (downwardAPI) return { payload: downwardFiles(downwardAPI.items ?? [], { pod, facts, mode }) };
    if (!serviceAccountToken)
      throw new Error(`this node cannot project ${Object.keys(source)[0] ?? "an empty source"}`);
    const { token, refreshAt } = await this.#deps.tokens.get(pod, serviceAccountToken);
    const content = Buffer.from(token);
    const file = { content, ...tokenOwner(pod, mode) };
    return { payload: new Map([[safePath(serviceAccountToken.path), file]]), expires: refreshAt };
  }

  #configMap(pod: Pod, { name = "", items, optional }: ConfigMapLike, mode: number): Payload {
    const found = this.#deps.references.configMap(pod.metadata.namespace ?? "", name);
    return configMapFiles(name, found, { items, optional, mode });
  }

  #secret(pod: Pod, { name = "", items, optional }: ConfigMapLike, mode: number): Payload {
    const found = this.#deps.references.secret(pod.metadata.namespace ?? "", name);
    return secretFiles(name, found, { items, optional, mode });
  }

  #path(uid: string, plugin: string, name: string): string {
    return join(this.#deps.podsDir, uid, "volumes", `kubernetes.io~${plugin}`, name);
  }
}

type ConfigMapLike = Pick<NonNullable<VolumeProjection["configMap"]>, "name" | "items" | "optional">;
const FOLDER = {
  configMap: "configmap",
  secret: "secret",
  projected: "projected",
  downwardAPI: "downward-api",
};

/** Only its user may read a token when all containers run as one; and the pod's group, where it has one. */
function tokenOwner({ spec }: Pod, mode: number): { mode: number; uid?: number } {
  const shared = spec?.securityContext;
  const users = new Set(allContainers(spec).map((c) => c.securityContext?.runAsUser ?? shared?.runAsUser));
  const [uid] = users;
  if (users.size === 1 && uid !== undefined) return { mode: 0o600, uid };
  return shared?.fsGroup === undefined ? { mode } : { mode: 0o600 };
}

/** One that no container mounts is not made, and need not even be possible. @see kubelet desired_state_of_world_populator.go */
function usedVolumes({ spec }: Pod): readonly Volume[] {
  const used = new Set(
    allContainers(spec).flatMap(({ volumeMounts = [], env = [] }) => [
      ...volumeMounts.map(({ name }) => name),
      ...env.flatMap(({ valueFrom }) => valueFrom?.fileKeyRef?.volumeName ?? []),
    ]),
  );
  return (spec?.volumes ?? []).filter(({ name }) => used.has(name));
}

/** Whether every mount of the volume is read-only, whatever the container asks for. */
export function isReadOnlyKind(volume: Volume): boolean {
  return CONTENT_KINDS.some((name) => volume[name] !== undefined);
}

function allContainers(
  spec: Pod["spec"],
): readonly Pick<Container, "volumeMounts" | "env" | "securityContext">[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? []), ...(spec?.ephemeralContainers ?? [])];
}

function kindName(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== "name") ?? "none";
}
