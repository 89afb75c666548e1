import { Fault } from "#fault/fault";
import { isApiFault } from "#kube/api-fault";
import type { Pod } from "#kube/generated/types";
import { RUNTIME_CLASSES } from "#kube/resources";
import type { PodContext } from "./context.ts";

/** The handler that the pod's RuntimeClass names; empty is the runtime's default. @throws {Fault} "RuntimeClassNotFound" */
export async function runtimeHandlerOf({ spec }: Pod, { client }: PodContext): Promise<string> {
  const name = spec?.runtimeClassName;
  if (!name) return "";
  try {
    return (await client.get(RUNTIME_CLASSES, { name })).handler;
  } catch (error) {
    if (!isApiFault(error)) throw error;
    throw new Fault("RuntimeClassNotFound", error.message, { cause: error });
  }
}
