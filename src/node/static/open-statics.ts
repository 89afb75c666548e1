import type { Node, Pod } from "#kube/generated/types";
import type { Informer } from "#kube/informer";
import { isStatic } from "../admission/critical.ts";
import type { NodeOptions } from "../options.ts";
import type { PodWorkers } from "../pod/workers.ts";
import { followFiles, keepMirrors } from "./keep-statics.ts";
import { ManifestFiles, type ReadPod } from "./manifest-files.ts";
import { Mirrors } from "./mirrors.ts";

export interface StaticPodsOptions {
  readonly path: string;
  readonly read: ReadPod;
}

export interface Statics {
  /** Resolves once all files have been read. */
  readonly known: Promise<void>;
  /** The object that the API has for a pod of this node. */
  observed(uid: string): Pod | undefined;
  /** Runs what files say, until aborted. */
  follow(): Promise<void>;
  /** Shows it in the API, until aborted. */
  keepMirrors(): Promise<void>;
}

/** The pods of this node that come from files. */
export function openStatics(
  { staticPods, client, clock, log, signal, nodeName }: NodeOptions,
  parts: {
    readonly pods: Informer<Pod>;
    readonly workers: Pick<PodWorkers, "get" | "list" | "setStatics">;
    readonly node: () => Node | undefined;
  },
): Statics {
  const { workers, pods, node } = parts;
  const { promise: known, resolve } = Promise.withResolvers<void>();
  const mirrors = new Mirrors({ client, pods, node, log, statics: () => workers.list().filter(isStatic) });
  return {
    known,
    observed: (uid) => {
      const pod = workers.get(uid);
      return pod && isStatic(pod) ? mirrors.of(pod) : pod;
    },
    follow: async () => {
      if (!staticPods) return resolve();
      const files = new ManifestFiles({ ...staticPods, nodeName, clock, log });
      const onRead = (read: readonly Pod[]) => {
        workers.setStatics(read);
        resolve();
      };
      await followFiles({ path: staticPods.path, files, onRead, clock, log, signal });
    },
    keepMirrors: () => keepMirrors(mirrors, { clock, signal }),
  };
}
