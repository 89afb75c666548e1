import { explain, Fault } from "#fault/fault";
import type { FoundImage, ImageRequest, RegistryAuth, StoredImage } from "../runtime.ts";
import type { CriChannel } from "./channel.ts";
import { CriFault, hasStatus } from "./cri-fault.ts";
import type { Image } from "./generated/types.ts";
import { withTag } from "./image-name.ts";

/** The runtime's images. */
export class Images {
  readonly #channel: CriChannel;
  readonly #signal: AbortSignal;

  constructor({ channel, signal }: { channel: CriChannel; signal: AbortSignal }) {
    this.#channel = channel;
    this.#signal = signal;
  }

  /** Finds the image, or fetches it where the policy says so. @throws {ImageFault} */
  async ensure({ image, policy, auths, onPull }: ImageRequest): Promise<FoundImage> {
    const name = withTag(image);
    const present = policy === "Always" ? undefined : await this.#inspect(name);
    if (present) return { ...foundImage(present), wasPresent: true };
    if (policy === "Never")
      throw new Fault(
        "ErrImageNeverPull",
        `Container image "${image}" is not present with pull policy of Never`,
      );
    onPull?.();
    const pulled = await this.#pull(name, auths);
    return { ...foundImage(pulled), wasPresent: false };
  }

  async #inspect(name: string): Promise<Image | undefined> {
    try {
      return await this.find(name);
    } catch (error) {
      if (!(error instanceof CriFault)) throw error;
      throw new Fault("ImageInspectError", `Failed to inspect image "${name}": ${error.message}`, {
        cause: error,
      });
    }
  }

  /** By name or id; undefined when the runtime has it not. @throws {CriFault} */
  async find(image: string): Promise<Image | undefined> {
    const answer = await this.#channel.call("ImageStatus", { image: { image } }, { signal: this.#signal });
    return answer.image;
  }

  async list(): Promise<readonly StoredImage[]> {
    const { images } = await this.#channel.call("ListImages", {}, { signal: this.#signal });
    return images.map(({ repoTags, repoDigests, size }) => ({
      names: [...repoDigests, ...repoTags],
      sizeBytes: Number(size),
    }));
  }

  async #pull(name: string, auths: readonly RegistryAuth[]): Promise<Image> {
    let refusal: unknown;
    for (const auth of auths.length === 0 ? [undefined] : auths) {
      try {
        const request = { image: { image: name }, ...(auth ? { auth } : {}) };
        const { imageRef } = await this.#channel.call("PullImage", request, { signal: this.#signal });
        const image = await this.find(imageRef);
        if (image) return image;
        refusal = new Error(`image ${name} is absent after it was pulled`);
      } catch (error) {
        this.#signal.throwIfAborted();
        refusal = error;
      }
    }
    throw new Fault("ErrImagePull", pullFailure(refusal), { cause: refusal });
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

function foundImage(image: Image): Omit<FoundImage, "wasPresent"> {
  const user = imageUser(image);
  return { imageRef: image.id, sizeBytes: Number(image.size), ...(user ? { user } : {}) };
}
