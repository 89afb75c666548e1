/** A registry for tests, read only: images of an OCI archive by the distribution protocol on the loopback. Started as a
 *  program it says its port, then a line for each request; what it is told on standard input is how to behave from then on.
 *  @see https://github.com/opencontainers/distribution-spec */
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createInterface } from "node:readline";

export interface RegistrySettings {
  /** An OCI archive; its images are served by their names' part behind the host. */
  readonly archive: string;
  readonly port: number;
  /** In PEM; default: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly behaviour?: Behaviour;
}

export interface Behaviour {
  /** `user:password` for repositories that begin with this; default: everybody may read. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Blobs that are begun and never ended. */
  readonly hangs?: boolean;
}

const BLOCK = 512;
const INDEX = "index.json";
const settings = JSON.parse(process.argv[2] ?? "{}") as RegistrySettings;
const files = untar(readFileSync(settings.archive));
const tags = new Map(manifests());
let behaviour: Behaviour = settings.behaviour ?? {};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    behaviour = JSON.parse(line) as Behaviour;
    process.stdout.write("behaves\n");
  })
  .on("close", () => process.exit(0));
const server = settings.tls ? createSecureServer(settings.tls, answer) : createServer(answer);
server.listen(settings.port, "127.0.0.1", () => process.stdout.write("listens\n"));

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { method = "", url = "", headers } = request;
  process.stdout.write(`${method} ${url}\n`);
  request.socket.once("close", () => process.stdout.write(`left ${url}\n`));
  const [, repository = "", kind, reference = ""] =
    /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(url) ?? [];
  if (!isAllowed(repository, headers.authorization)) {
    response.writeHead(401, { "www-authenticate": 'Basic realm="test"' });
    response.end(JSON.stringify({ errors: [{ code: "UNAUTHORIZED", message: "authentication required" }] }));
    return;
  }
  const digest = kind === "manifests" ? (tags.get(`${repository}:${reference}`) ?? reference) : reference;
  const bytes = files.get(`blobs/${digest.replace(":", "/")}`);
  if (kind === undefined || !bytes) {
    response.writeHead(404, { "content-type": "application/json" });
    response.end(JSON.stringify({ errors: [{ code: "MANIFEST_UNKNOWN", message: "not here" }] }));
    return;
  }
  response.writeHead(200, {
    "content-type":
      kind === "manifests" ? "application/vnd.oci.image.manifest.v1+json" : "application/octet-stream",
    "content-length": bytes.byteLength,
    "docker-content-digest": digest,
  });
  if (method === "HEAD") response.end();
  else if (behaviour.hangs && kind === "blobs") response.write(bytes.subarray(0, 1));
  else response.end(bytes);
}

function isAllowed(repository: string, authorization = ""): boolean {
  const secret = Object.entries(behaviour.secrets ?? {}).find(([prefix]) =>
    repository.startsWith(prefix),
  )?.[1];
  return secret === undefined || authorization === `Basic ${Buffer.from(secret).toString("base64")}`;
}

/** `team/app:1` to its digest, of every name in the archive. */
function* manifests(): Generator<readonly [string, string]> {
  const index = JSON.parse(files.get(INDEX)?.toString() ?? "{}") as {
    manifests: readonly { digest: string; annotations: Readonly<Record<string, string>> }[];
  };
  for (const { digest, annotations } of index.manifests) {
    const name = annotations["io.containerd.image.name"] ?? "";
    yield [name.slice(name.indexOf("/") + 1), digest];
  }
}

/** Files by name; enough for what our own writer writes. */
function untar(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 0; bytes[at]; ) {
    const text = (from: number, length: number) =>
      bytes.toString("latin1", at + from, at + from + length).replace(/\0.*$/s, "");
    const size = Number.parseInt(text(124, 12), 8) || 0;
    found.set(text(0, 100), bytes.subarray(at + BLOCK, at + BLOCK + size));
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}
