import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { explain } from "#fault/fault";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import type { StoredImage } from "../runtime/runtime.ts";
import type { ImageName } from "./image-name.ts";
import type { SecretSource } from "./pull-secrets.ts";

const API_VERSION = "kubelet.config.k8s.io/v1beta1";
const PREFIX = "sha256-";
/** Beyond it no more secrets are written down that were only found to match. */
const MOST_SECRETS = 100;

/** Who may use an image without asking its registry: all pods of the node, or those with one of these secrets. */
interface Allowance {
  readonly nodePodsAccessible?: boolean;
  readonly kubernetesSecrets?: readonly SecretSource[];
}

interface PulledRecord {
  readonly lastUpdatedTime: string;
  readonly imageRef: string;
  /** By repository. */
  readonly credentialMapping?: Readonly<Record<string, Allowance>>;
}

/** What is to be said of a pull that began; disposed of, it is over. */
export interface PullIntent extends Disposable {
  pulled(imageRef: string, source: SecretSource | undefined): void;
}

/** Which pods may use which pulled images, in the files that kubelets keep for it: an image that needed credentials is not given to
 *  a pod without them just because it is here. Images that no pod had pulled are everybody's.
 *  @see pullmanager/image_pull_manager.go in kubernetes */
export class PullRecords {
  readonly #pulling: string;
  readonly #pulled: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #intents = new Map<string, number>();

  constructor(dir: string, { clock, log }: { clock: Clock; log: Logger }) {
    [this.#pulling, this.#pulled] = [join(dir, "pulling"), join(dir, "pulled")];
    this.#clock = clock;
    this.#log = log;
    for (const folder of [this.#pulling, this.#pulled]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Takes up what an agent that ended in the middle of a pull has left: the image may be here, and nobody knows whose it is. */
  takeOver(images: readonly StoredImage[]): void {
    for (const path of filesIn(this.#pulling)) {
      const { image = "" } = read<{ readonly image: string }>(path) ?? {};
      const found = images.find(({ names }) => names.includes(image));
      if (found) this.#write({ ...this.#recordOf(found.id), imageRef: found.id });
      if (!this.#intents.has(image)) rmSync(path, { force: true });
    }
  }

  mayUse({ repository, tagged }: ImageName, imageRef: string, secrets: readonly SecretSource[]): boolean {
    const record = this.#recordOf(imageRef);
    if (!record) return !this.#intents.has(tagged);
    const allowance = record.credentialMapping?.[repository];
    if (!allowance) return false;
    if (allowance.nodePodsAccessible) return true;
    const known = allowance.kubernetesSecrets ?? [];
    const match = secrets.find((secret) => known.some((other) => matches(secret, other)));
    if (match && !known.some((other) => isSame(match, other)) && known.length < MOST_SECRETS)
      this.#allow(repository, imageRef, match);
    return match !== undefined;
  }

  intend({ repository, tagged }: ImageName): PullIntent {
    const path = join(this.#pulling, fileName(tagged));
    this.#intents.set(tagged, (this.#intents.get(tagged) ?? 0) + 1);
    this.#try(() => writeJson(path, { kind: "ImagePullIntent", apiVersion: API_VERSION, image: tagged }));
    return {
      pulled: (imageRef, source) => this.#allow(repository, imageRef, source),
      [Symbol.dispose]: () => {
        const left = (this.#intents.get(tagged) ?? 1) - 1;
        if (left > 0) this.#intents.set(tagged, left);
        else this.#intents.delete(tagged);
        if (left === 0) this.#try(() => rmSync(path, { force: true }));
      },
    };
  }

  /** Forgets images that are gone, unless they came after `since`. */
  keepOnly(ids: ReadonlySet<string>, since: number): void {
    for (const path of filesIn(this.#pulled)) {
      const record = read<PulledRecord>(path);
      const isNew = record && Date.parse(record.lastUpdatedTime ?? "") >= Math.floor(since / 1000) * 1000;
      if (!isNew && !ids.has(record?.imageRef ?? "")) rmSync(path, { force: true });
    }
  }

  #allow(repository: string, imageRef: string, source: SecretSource | undefined): void {
    const before = this.#recordOf(imageRef);
    const allowance = before?.credentialMapping?.[repository];
    if (allowance?.nodePodsAccessible) return;
    const others = (allowance?.kubernetesSecrets ?? []).filter(
      (other) => !source || !isOneSecret(source, other),
    );
    const now: Allowance = source ? { kubernetesSecrets: [...others, source] } : { nodePodsAccessible: true };
    this.#write({
      ...before,
      imageRef,
      credentialMapping: { ...before?.credentialMapping, [repository]: now },
    });
  }

  #recordOf(imageRef: string): Partial<PulledRecord> | undefined {
    return read<PulledRecord>(join(this.#pulled, fileName(imageRef)));
  }

  #write(record: Omit<PulledRecord, "lastUpdatedTime">): void {
    const lastUpdatedTime = `${new Date(this.#clock.now()).toISOString().slice(0, 19)}Z`;
    const whole = { kind: "ImagePulledRecord", apiVersion: API_VERSION, ...record, lastUpdatedTime };
    this.#try(() => writeJson(join(this.#pulled, fileName(record.imageRef)), whole));
  }

  /** A full disk keeps no pod from its image. */
  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#log.warn("what was pulled cannot be written down", { error: explain(error) });
    }
  }
}

function matches(secret: SecretSource, known: SecretSource): boolean {
  return secret.credentialHash === known.credentialHash || isOneSecret(secret, known);
}

function isSame(a: SecretSource, b: SecretSource): boolean {
  return isOneSecret(a, b) && a.credentialHash === b.credentialHash;
}

function isOneSecret(a: SecretSource, b: SecretSource): boolean {
  return a.uid === b.uid && a.namespace === b.namespace && a.name === b.name;
}

function fileName(of: string): string {
  return PREFIX + createHash("sha256").update(of).digest("hex");
}

function filesIn(dir: string): readonly string[] {
  const names = readdirSync(dir).filter((name) => name.startsWith(PREFIX));
  return names.map((name) => join(dir, name));
}

/** Undefined for what is not there. What is damaged says nothing, and so allows nothing. */
function read<T extends object>(path: string): Partial<T> | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Partial<T>;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ENOENT" ? undefined : {};
  }
}

function writeJson(path: string, value: unknown): void {
  const temporary = `${path.replace(/[^/]*$/, "")}.${process.pid}.tmp`;
  writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 });
  renameSync(temporary, path);
}
