import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { Fault } from "#fault/fault";
import type { Pod } from "#kube/generated/types";
import type { StaticPodsOptions } from "#node/static/open-statics";
import type { NodeConfig } from "./config/config.ts";

/** Where a node's pods from files are, and how they are read. The folder that nobody named is made. */
export function openManifests({ dataDir, kubelet }: NodeConfig): StaticPodsOptions {
  const own = join(dataDir, "agent", "pod-manifests");
  if (kubelet.podManifestPath === undefined) mkdirSync(own, { recursive: true, mode: 0o700 });
  return { path: kubelet.podManifestPath ?? own, read: readStaticPod };
}

/** A pod from a file's text, filled in and checked as the API server does it with those that are sent to it; `place` comes between.
 *  @throws {Fault} "BadManifest" that says what is wrong */
export async function readStaticPod(text: string, place: (pod: Pod) => Pod): Promise<Pod> {
  // Most nodes have no such files, and the tables of all fields are large.
  const { takePod } = await import("#apiserver/kinds/pod/take-pod");
  const value: unknown = parse(text, { uniqueKeys: true });
  const taken = takePod(value, place);
  if (taken.problems.length > 0 || !("pod" in taken))
    throw new Fault("BadManifest", `invalid pod: ${taken.problems.join(", ")}`);
  return taken.pod;
}
