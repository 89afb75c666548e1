import { type Fault, isFault } from "#fault/fault";
import type { Container, Pod, Secret } from "#kube/generated/types";
import type { FoundImage, Runtime } from "../runtime/runtime.ts";
import { goDuration } from "./go-duration.ts";
import { notAllowed, waitingForRegistry } from "./image-faults.ts";
import { type ImageName, parseImageName } from "./image-name.ts";
import type { PullRecords } from "./pull-records.ts";
import { type Credential, credentialsFor } from "./pull-secrets.ts";
import type { Pulls } from "./pulls.ts";

/** Tells an event about the container. */
export type Say = (type: "Normal" | "Warning", reason: string, message: string) => void;

export interface ImageSources {
  readonly runtime: Pick<Runtime, "findImage">;
  readonly pulls: Pulls;
  readonly records: PullRecords;
  readonly secret: (name: string) => Secret | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface ImageWish {
  readonly container: Pick<Container, "image" | "imagePullPolicy">;
  readonly pod: Pod;
  /** Why it was not pulled the last time, while it is too soon to ask again. */
  readonly heldBack: Fault | undefined;
  readonly signal: AbortSignal;
}

/** Makes a container's image ready, with the pod's pull secrets and the kubelet's events. @throws {Fault} with the waiting reason as its
 *  code; what `signal` aborted with */
export async function ensureImage(wish: ImageWish, say: Say, sources: ImageSources): Promise<FoundImage> {
  const { image = "" } = wish.container;
  try {
    const name = parseImageName(image);
    const credentials = credentialsFor(name.repository, pullSecrets(wish, say, sources.secret));
    const present = await findAllowed(wish, { name, credentials }, sources);
    if (present) {
      const text = `Container image "${image}" already present on machine and can be accessed by the pod`;
      say("Normal", "Pulled", text);
      return present;
    }
    if (wish.heldBack) throw waitingForRegistry(image, wish.heldBack);
    return await fetch({ image, name, credentials, signal: wish.signal }, say, sources);
  } catch (error) {
    if (isFault(error)) sayFailure(image, error, say);
    throw error;
  }
}

/** The image that is here, unless the policy is to ask the registry or somebody's credentials were needed for it that this pod lacks. */
async function findAllowed(
  { container, signal }: ImageWish,
  { name, credentials }: { name: ImageName; credentials: readonly Credential[] },
  { runtime, records }: ImageSources,
): Promise<FoundImage | undefined> {
  if (container.imagePullPolicy === "Always") return undefined;
  const found = await runtime.findImage(name.tagged);
  signal.throwIfAborted();
  const sources = credentials.map(({ source }) => source);
  if (found && records.mayUse(name, found.imageRef, sources)) return found;
  if (container.imagePullPolicy === "Never") throw notAllowed(container.image ?? "");
  return undefined;
}

interface Fetch {
  readonly image: string;
  readonly name: ImageName;
  readonly credentials: readonly Credential[];
  readonly signal: AbortSignal;
}

async function fetch(
  { image, name, credentials, signal }: Fetch,
  say: Say,
  { pulls, records, now }: ImageSources,
): Promise<FoundImage> {
  say("Normal", "Pulling", `Pulling image "${image}"`);
  const startedAt = now();
  using intent = records.intend(name);
  const { image: found, credential, tookMs } = await pulls.pull(name.tagged, credentials, { signal });
  intent.pulled(found.imageRef, credential?.source);
  say(
    "Normal",
    "Pulled",
    `Successfully pulled image "${image}" in ${goDuration(tookMs)} (${goDuration(now() - startedAt)} including waiting). ` +
      `Image size: ${found.sizeBytes ?? 0} bytes.`,
  );
  return found;
}

/** Those that stand; that some do not is told, as the registry may want them. */
function pullSecrets(
  { pod: { spec } }: ImageWish,
  say: Say,
  secret: ImageSources["secret"],
): readonly Secret[] {
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

function sayFailure(image: string, fault: Fault, say: Say): void {
  switch (fault.code) {
    case "ImagePullBackOff":
      say("Normal", "BackOff", `Back-off pulling image "${image}"`);
      break;
    case "ErrImageNeverPull":
      say("Warning", "ErrImageNeverPull", fault.message);
      break;
    case "InvalidImageName":
    case "ImageInspectError":
      say("Warning", "InspectFailed", fault.message);
      break;
    default:
      say("Warning", "Failed", `Failed to pull image "${image}": ${fault.message}`);
  }
  say("Warning", "Failed", `Error: ${fault.code}`);
}
