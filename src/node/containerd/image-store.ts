import { decodeMessage } from "#wire/protobuf/decode-message";
import { encodeMessage } from "#wire/protobuf/encode-message";
import { readMessageTables } from "#wire/protobuf/message-tables";
import type { CriChannel } from "../runtime/cri/channel.ts";

const SERVICE = "/containerd.services.images.v1.Images";
/** Keeps an image from being taken away for want of space, by what has a word for that and by us. */
const PINNED = "io.cri-containerd.pinned";
const layouts = readMessageTables({
  messages: {
    Descriptor: {
      ...{ "1": "mediaType string", "2": "digest string", "3": "size int64" },
      "5": "annotations %string",
    },
    Image: { "1": "name string", "2": "labels %string", "3": "target Descriptor" },
    FieldMask: { "1": "paths *string" },
    ListRequest: { "1": "filters *string" },
    ListResponse: { "1": "images *Image" },
    CreateRequest: { "1": "image Image" },
    UpdateRequest: { "1": "image Image", "2": "updateMask FieldMask" },
  },
  enums: {},
});

/** One name of an image; another one is of the same when it has the same digest. */
export interface NamedImage {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: { readonly digest: string };
}

/** The names that containerd has images by, asked of itself: its CRI can neither give a name nor pin.
 *  @see containerd api/services/images/v1/images.proto */
export class ImageStore {
  readonly #channel: Pick<CriChannel, "callContainerd">;
  readonly #signal: AbortSignal;

  constructor(channel: Pick<CriChannel, "callContainerd">, { signal }: { signal: AbortSignal }) {
    this.#channel = channel;
    this.#signal = signal;
  }

  /** @throws {CriFault} */
  async list(): Promise<ReadonlyMap<string, NamedImage>> {
    const request = encodeMessage(layouts, "ListRequest", {});
    const answer = decodeMessage(layouts, "ListResponse", await this.#call("List", request));
    // The one cast: the decoder fills in what the table above has.
    const images = answer["images"] as unknown as readonly NamedImage[];
    return new Map(images.map((image) => [image.name, image]));
  }

  /** @throws {CriFault} */
  async pinnedNames(): Promise<ReadonlySet<string>> {
    const images = [...(await this.list()).values()];
    return new Set(images.filter(({ labels }) => Object.hasOwn(labels, PINNED)).map(({ name }) => name));
  }

  /** @throws {CriFault} */
  async pin(image: NamedImage): Promise<void> {
    const labels = { ...image.labels, [PINNED]: "pinned" };
    const updateMask = { paths: [`labels.${PINNED}`] };
    await this.#call(
      "Update",
      encodeMessage(layouts, "UpdateRequest", { image: { ...image, labels }, updateMask }),
    );
  }

  /** Another name for an image, pinned. @throws {CriFault} */
  async addName(name: string, { target }: NamedImage): Promise<void> {
    const image = { name, target, labels: { [PINNED]: "pinned" } };
    await this.#call("Create", encodeMessage(layouts, "CreateRequest", { image }));
  }

  #call(method: string, request: Buffer): Promise<Uint8Array> {
    return this.#channel.callContainerd(`${SERVICE}/${method}`, request, { signal: this.#signal });
  }
}
