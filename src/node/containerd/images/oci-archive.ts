import { createHash, type Hash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { type Content, type StoredContent, type TarEntry, writeTar } from "./tar.ts";

/** A file system layer: what is in it, folders first. */
export type Layer = readonly TarEntry[];

/** What a container of the image runs as, by OCI's names. @see image-spec config.md */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly WorkingDir?: string;
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, Readonly<Record<string, never>>>>;
}

export interface ImageSpec {
  /** Fully qualified: `docker.io/twill/pause:1`. The CRI finds no image by a shorter name. */
  readonly names: readonly string[];
  readonly config: ImageConfig;
  /** Lowest first. Images that hold the same array share the layer. */
  readonly layers: readonly Layer[];
}

/** Something named by the hash of its bytes, with how to get them. */
interface Blob extends StoredContent {
  readonly digest: string;
}

interface LayerBlob extends Blob {
  /** Of the tar before compression. */
  readonly diffId: string;
}

const TYPES = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  // containerd writes what it is given to the disk and waits for it: of Node's 132 MB, zstd leaves 50, and the import takes a
  // third of the time (1.0 s to 3.2 s). gzip takes as long to import and four times as long to make.
  layer: "application/vnd.oci.image.layer.v1.tar+zstd",
} as const;
const FASTEST = 1;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
/** What containerd calls the image by; the other name is what podman and skopeo read. */
const FULL_NAME = "io.containerd.image.name";
const REF_NAME = "org.opencontainers.image.ref.name";

/** Writes an OCI layout in one tar file at `path`, replacing it whole; the same images give the same bytes.
 *  @see image-spec image-layout.md @throws whatever reading a layer's files or writing throws */
export async function writeOciArchive(
  path: string,
  images: readonly ImageSpec[],
  { arch }: { arch: string },
): Promise<void> {
  const layers = new Map<Layer, LayerBlob>();
  for (const layer of images.flatMap((image) => image.layers))
    if (!layers.has(layer)) layers.set(layer, await layerBlob(layer));
  const blobs = new Map<string, Blob>([...layers.values()].map((blob) => [blob.digest, blob]));
  const descriptors: object[] = [];
  for (const image of images) {
    const config = jsonBlob(configOf(image, layers, arch));
    const manifest = jsonBlob(manifestOf(image, layers, config));
    for (const blob of [config, manifest]) blobs.set(blob.digest, blob);
    for (const name of image.names) {
      const annotations = { [FULL_NAME]: name, [REF_NAME]: name };
      descriptors.push({ ...descriptor(TYPES.manifest, manifest), annotations });
    }
  }
  const index = { schemaVersion: 2, mediaType: TYPES.index, manifests: descriptors };
  await writeWhole(path, writeTar(members(index, [...blobs.values()])));
}

function configOf(
  { config, layers }: ImageSpec,
  blobs: ReadonlyMap<Layer, LayerBlob>,
  arch: string,
): Readonly<Record<string, unknown>> {
  return {
    architecture: ARCHITECTURES[arch] ?? arch,
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: layers.map((layer) => known(blobs, layer).diffId) },
  };
}

function manifestOf({ layers }: ImageSpec, blobs: ReadonlyMap<Layer, LayerBlob>, config: Blob): object {
  return {
    schemaVersion: 2,
    mediaType: TYPES.manifest,
    config: descriptor(TYPES.config, config),
    layers: layers.map((layer) => descriptor(TYPES.layer, known(blobs, layer))),
  };
}

function known(blobs: ReadonlyMap<Layer, LayerBlob>, layer: Layer): LayerBlob {
  const blob = blobs.get(layer);
  if (!blob) throw new Error("broken invariant: a layer without its blob");
  return blob;
}

function descriptor(mediaType: string, { digest, size }: Blob) {
  return { mediaType, digest, size };
}

function jsonBlob(value: unknown): Blob {
  const text = Buffer.from(JSON.stringify(value));
  const digest = digestOf(createHash("sha256").update(text));
  return { digest, stamp: digest, size: text.byteLength, bytes: () => Readable.from([text]) };
}

/** Holds the compressed bytes, which are written later under the name they only have now. */
async function layerBlob(layer: Layer): Promise<LayerBlob> {
  const [plain, packed] = [createHash("sha256"), createHash("sha256")];
  const chunks: Buffer[] = [];
  await pipeline(
    async function* () {
      for await (const chunk of writeTar(layer)) {
        plain.update(chunk);
        yield chunk;
      }
    },
    createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: FASTEST } }),
    async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) {
        packed.update(chunk);
        chunks.push(chunk);
      }
    },
  );
  const digest = digestOf(packed);
  const size = chunks.reduce((total, chunk) => total + chunk.byteLength, 0);
  return { digest, diffId: digestOf(plain), stamp: digest, size, bytes: () => Readable.from(chunks) };
}

function digestOf(hash: Hash): string {
  return `sha256:${hash.digest("hex")}`;
}

/** Blobs before the index that names them: a reader of the stream knows all it needs when it comes to that. */
function* members(index: object, blobs: readonly Blob[]): Generator<TarEntry> {
  const file = (path: string, content: Content): TarEntry => ({ kind: "file", path, mode: 0o644, content });
  yield file("oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  yield { kind: "folder", path: "blobs", mode: 0o755 };
  yield { kind: "folder", path: "blobs/sha256", mode: 0o755 };
  for (const blob of [...blobs].sort((a, b) => (a.digest < b.digest ? -1 : 1)))
    yield file(`blobs/${blob.digest.replace(":", "/")}`, blob);
  yield file("index.json", Buffer.from(JSON.stringify(index)));
}

/** Readers see the old file or the new one; of a full disk nothing is left. */
async function writeWhole(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await pipeline(Readable.from(bytes, { objectMode: false }), createWriteStream(temporary));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
