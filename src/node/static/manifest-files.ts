import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { explain, Fault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import type { Logger } from "#telemetry/log";
import { refuseReferences, SEEN, staticPod } from "./manifest.ts";

const MAX_BYTES = 10 * (1 << 20);

/** Reads one pod from a file's text. `place` makes it this node's, between what nobody said being filled in and its being checked.
 *  @throws whatever is wrong with it */
export type ReadPod = (text: string, place: (pod: Pod) => Pod) => Promise<Pod>;

export interface ManifestFilesOptions {
  /** A folder of files, or one file. */
  readonly path: string;
  readonly nodeName: string;
  readonly read: ReadPod;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Another text may say the same. */
function isSame(a: Pod, b: Pod): boolean {
  const [one, other] = [a, b].map(({ metadata, ...rest }) => ({
    ...rest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [SEEN]: "" } },
  }));
  return isDeepStrictEqual(one, other);
}

interface Known {
  readonly text: string;
  /** Undefined when the text is no pod and never was. */
  readonly pod: Pod | undefined;
}

/** The pods that files of this node say. */
export class ManifestFiles {
  readonly #options: ManifestFilesOptions;
  #known = new Map<string, Known>();
  #duplicates = new Set<string>();

  constructor(options: ManifestFilesOptions) {
    this.#options = options;
  }

  /** All that can be read now, by file name. A file that cannot be understood is named in the log, once; what it said before goes on.
   *  @throws what the kernel says of the folder; one that is not there holds nothing */
  async read(): Promise<readonly Pod[]> {
    const known = new Map<string, Known>();
    for (const path of await this.#paths()) {
      const found = await this.#readFile(path, this.#known.get(path));
      if (found) known.set(path, found);
    }
    this.#known = known;
    return this.#withoutDuplicates();
  }

  async #paths(): Promise<readonly string[]> {
    const { path } = this.#options;
    try {
      if (!(await stat(path)).isDirectory()) return [path];
      const names = await readdir(path);
      return names
        .filter((name) => !name.startsWith("."))
        .sort()
        .map((name) => join(path, name));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
  }

  async #readFile(path: string, before: Known | undefined): Promise<Known | undefined> {
    const { log, read, nodeName, clock } = this.#options;
    let text = "";
    try {
      const found = await stat(path).catch(() => undefined);
      if (!found) return undefined;
      if (!found.isFile()) throw new Fault("BadManifest", "it is not a file");
      if (found.size > MAX_BYTES) throw new Fault("BadManifest", `it is longer than ${MAX_BYTES} bytes`);
      text = await readFile(path, "utf8");
      if (before?.text === text) return before;
      const seenAt = new Date(clock.now()).toISOString();
      const pod = await read(text, (plain) => staticPod(plain, { path, nodeName, seenAt }));
      refuseReferences(pod);
      return { text, pod: before?.pod && isSame(pod, before.pod) ? before.pod : pod };
    } catch (error) {
      if (before?.text !== text || before === undefined)
        log.error("a pod's file cannot be used", { file: path, error: explain(error) });
      return { text, pod: before?.pod };
    }
  }

  /** Of two files that name the same pod the first one counts. */
  #withoutDuplicates(): readonly Pod[] {
    const names = new Set<string>();
    const duplicates = new Set<string>();
    const pods: Pod[] = [];
    for (const [file, { pod }] of this.#known) {
      if (!pod) continue;
      const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
      if (!names.has(name)) pods.push(pod);
      else {
        duplicates.add(`${file} ${name}`);
        if (!this.#duplicates.has(`${file} ${name}`))
          this.#options.log.error("a pod's file is ignored: another one has a pod of that name", {
            file,
            pod: name,
          });
      }
      names.add(name);
    }
    this.#duplicates = duplicates;
    return pods;
  }
}
