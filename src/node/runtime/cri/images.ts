import { explain, Fault } from "#fault/fault";
import type { FoundImage, RegistryAuth, StoredImage } from "../runtime.ts";
import type { CriChannel } from "./channel.ts";
import { CriFault, hasStatus, unlessAbsent } from "./cri-fault.ts";
import type { Image } from "./generated/types.ts";

export interface ImagesDeps {
  readonly channel: CriChannel;
  readonly signal: AbortSignal;
  /** Settles, without an error, once no more images are brought in by others than pods. */
  readonly preloaded?: Promise<void>;
  /** Names of images that must stay, where the runtime has no word for that (containerd before 1.7). */
  readonly pinned?: () => Promise<ReadonlySet<string>>;
}

/** The runtime's images. */
export class Images {
  readonly #deps: ImagesDeps;

  constructor(deps: ImagesDeps) {
    this.#deps = deps;
  }

  /** An image that is not here may be one of those that are being brought in. @throws {Fault} "ImageInspectError" */
  async find(name: string): Promise<FoundImage | undefined> {
    const { preloaded } = this.#deps;
    const found = await this.#inspect(name);
    if (found || !preloaded) return found;
    await preloaded;
    return this.#inspect(name);
  }

  async #inspect(name: string): Promise<FoundImage | undefined> {
    try {
      const image = await this.get(name);
      return image && foundImage(image);
    } catch (error) {
      if (!(error instanceof CriFault)) throw error;
      throw new Fault("ImageInspectError", `Failed to inspect image "": ${error.message}`, { cause: error });
    }
  }

  /** By name or id; undefined when the runtime has it not. @throws {CriFault} */
  async get(image: string): Promise<Image | undefined> {
    const { channel, signal } = this.#deps;
    return (await channel.call("ImageStatus", { image: { image } }, { signal })).image;
  }

  /** @throws {Fault} "ErrImagePull"; what `signal` aborted with */
  async pull(
    name: string,
    { auth, signal: given }: { auth: RegistryAuth | undefined; signal: AbortSignal },
  ): Promise<FoundImage> {
    const signal = AbortSignal.any([this.#deps.signal, given]);
    try {
      const request = { image: { image: name }, ...(auth ? { auth } : {}) };
      const { imageRef } = await this.#deps.channel.call("PullImage", request, { signal });
      const image = await this.get(imageRef);
      if (image) return foundImage(image);
    } catch (error) {
      signal.throwIfAborted();
      throw new Fault("ErrImagePull", pullFailure(error), { cause: error });
    }
    throw new Fault("ErrImagePull", `image ${name} is absent after it was pulled`);
  }

  async list(): Promise<readonly StoredImage[]> {
    const { channel, signal, pinned } = this.#deps;
    const [{ images }, kept] = await Promise.all([
      channel.call("ListImages", {}, { signal }),
      pinned?.() ?? new Set(),
    ]);
    return images.map((image) => {
      const names = [...image.repoDigests, ...image.repoTags];
      const isPinned = image.pinned || names.some((name) => kept.has(name));
      return { id: image.id, names, sizeBytes: Number(image.size), isPinned };
    });
  }

  async inUse(): Promise<ReadonlySet<string>> {
    const { channel, signal } = this.#deps;
    const { containers } = await channel.call("ListContainers", {}, { signal });
    return new Set(
      containers.flatMap(({ imageId, imageRef, image }) => [imageId, imageRef, image?.image ?? ""]),
    );
  }

  async remove(id: string): Promise<void> {
    const { channel, signal } = this.#deps;
    await unlessAbsent(channel.call("RemoveImage", { image: { image: id } }, { signal }));
  }
}

/** A status that says nothing is left out. @see cri-client remote_image.go pullImageV1 */
function pullFailure(refusal: unknown): string {
  return hasStatus(refusal, "Unknown") ? refusal.words : explain(refusal);
}

/** Who the image runs as, when the pod's spec does not say. */
export function imageUser({ uid, username }: Image): FoundImage["user"] {
  if (uid !== undefined) return { uid: Number(uid.value) };
  return username === "" ? undefined : { name: username };
}

function foundImage(image: Image): FoundImage {
  const user = imageUser(image);
  return { imageRef: image.id, sizeBytes: Number(image.size), ...(user ? { user } : {}) };
}
