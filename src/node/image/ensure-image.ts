import { type Fault, isFault } from "#fault/fault";
import type { Container, Pod, Secret } from "#kube/generated/types";
import type { Clock } from "#life/clock";
import type { FoundImage, ImageRequest, Runtime } from "../runtime/runtime.ts";
import { repositoryOf } from "./image-name.ts";
import { authsFor } from "./pull-secrets.ts";

/** Tells an event about the container. */
export type Say = (type: "Normal" | "Warning", reason: string, message: string) => void;

export interface ImageSources {
  readonly runtime: Runtime;
  readonly secret: (name: string) => Secret | undefined;
  readonly clock: Clock;
}

/** Makes a container's image ready, with the pod's pull secrets and the kubelet's events. @throws {Fault} with the waiting reason as its code */
export async function ensureImage(
  { image = "", imagePullPolicy }: Pick<Container, "image" | "imagePullPolicy">,
  { spec }: Pod,
  say: Say,
  { runtime, secret, clock }: ImageSources,
): Promise<FoundImage> {
  const startedAt = clock.now();
  try {
    const policy = (imagePullPolicy ?? "IfNotPresent") as ImageRequest["policy"]; // The API lets no other pass.
    const found = await runtime.ensureImage({
      image,
      policy,
      auths: authsFor(repositoryOf(image), pullSecrets(spec, say, secret)),
      onPull: () => say("Normal", "Pulling", `Pulling image "${image}"`),
    });
    say("Normal", "Pulled", pulled(image, found, clock.now() - startedAt));
    return found;
  } catch (error) {
    if (isFault(error)) sayFailure(image, error, say);
    throw error;
  }
}

/** Those that stand; that some do not is told, as the registry may want them. */
function pullSecrets(spec: Pod["spec"], say: Say, secret: ImageSources["secret"]): readonly Secret[] {
  const names = (spec?.imagePullSecrets ?? []).flatMap(({ name }) => (name ? [name] : []));
  const missing = names.filter((name) => secret(name) === undefined);
  if (missing.length > 0)
    say(
      "Warning",
      "FailedToRetrieveImagePullSecret",
      `Unable to retrieve some image pull secrets (${missing.join(", ")}); attempting to pull the image may not succeed.`,
    );
  return names.flatMap((name) => secret(name) ?? []);
}

function pulled(image: string, { wasPresent, sizeBytes }: FoundImage, tookMs: number): string {
  if (wasPresent)
    return `Container image "${image}" already present on machine and can be accessed by the pod`;
  const took = duration(tookMs);
  return `Successfully pulled image "${image}" in ${took} (${took} including waiting). Image size: ${sizeBytes ?? 0} bytes.`;
}

function sayFailure(image: string, fault: Fault, say: Say): void {
  switch (fault.code) {
    case "ErrImageNeverPull":
      say("Warning", "ErrImageNeverPull", fault.message);
      break;
    case "InvalidImageName":
      say("Warning", "InspectFailed", fault.message);
      break;
    default:
      say("Warning", "Failed", `Failed to pull image "${image}": ${fault.message}`);
  }
  say("Warning", "Failed", `Error: ${fault.code}`);
}

/** As Go writes it: `350ms`, `1.204s`, `1m2.5s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = Math.round(ms - minutes * 60_000) / 1000;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
