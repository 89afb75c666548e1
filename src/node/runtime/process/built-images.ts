import { explain, Fault } from "#fault/fault";
import type { FoundImage } from "../runtime.ts";
import { imageRefOf, requireImage } from "./carried-images.ts";
import { buildImages } from "./images/build.ts";
import { type CarriedImage, findImage } from "./images/catalog.ts";

/** The carried images, whose bundles are made from the start on; only the first container has to wait for them. */
export class BuiltImages {
  readonly #dir: string;
  readonly #built: Promise<void>;

  constructor(dir: string) {
    this.#dir = dir;
    this.#built = buildImages(dir);
    this.#built.catch(() => {}); // Told by the first container that needs one.
  }

  /** @throws {Fault} "ErrImagePull" when the bundles cannot be made */
  async find(image: string): Promise<FoundImage | undefined> {
    const carried = findImage(image);
    return carried && this.#whenBuilt(carried);
  }

  /** @throws {Fault} "ErrImagePull" also when no such image is carried, "InvalidImageName" */
  async require(image: string): Promise<FoundImage> {
    return this.#whenBuilt(requireImage(image));
  }

  async #whenBuilt(image: CarriedImage): Promise<FoundImage> {
    try {
      await this.#built;
    } catch (cause) {
      throw new Fault("ErrImagePull", `Cannot build the image ${image.name}: ${explain(cause)}`, { cause });
    }
    return { imageRef: imageRefOf(image, this.#dir) };
  }
}
