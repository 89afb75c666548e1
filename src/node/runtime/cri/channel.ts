import type { Client, Metadata, ServiceError } from "@grpc/grpc-js";
import { Fault } from "#fault/fault";
import {
  type CallName,
  callPath,
  decodeResponse,
  encodeRequest,
  type Request,
  type Response,
} from "./codec.ts";
import { decodeEvent, encodeSubscription, NAMESPACE_HEADER, SUBSCRIBE_PATH } from "./containerd-events.ts";
import { CriFault } from "./cri-fault.ts";

/** What the runtime's socket is asked through. */
export interface CriChannel extends Disposable {
  /** @throws {CriFault} */
  call<Name extends CallName>(
    name: Name,
    request: Request<Name>,
    options?: { timeoutMs?: number | undefined; signal?: AbortSignal },
  ): Promise<Response<Name>>;
  /** Ends with the stream's own error. @throws {CriFault} */
  follow<Name extends CallName>(
    name: Name,
    request: Request<Name>,
    options: { signal: AbortSignal },
  ): AsyncIterable<Response<Name>>;
  /** One call of containerd's own, in the namespace of the CRI. @throws {CriFault} */
  callContainerd(path: string, request: Buffer, options: { signal: AbortSignal }): Promise<Uint8Array>;
  /** Containers and sandboxes that ended, by id, as containerd itself tells: before its CRI knows. @throws {CriFault} */
  followContainerd(options: { signal: AbortSignal }): AsyncIterable<string>;
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const CALL_TIMEOUT_MS = 120_000;
/** As the kubelet has them: a sandbox may wait for its network, an image for its registry (without any limit). */
const TIMEOUTS_MS: Partial<Record<CallName, number | undefined>> = {
  RunPodSandbox: 240_000,
  PullImage: undefined,
};

/** Opens the CRI v1 socket at an endpoint such as `unix:///run/containerd/containerd.sock` or a plain path. Nothing is sent yet; a socket
 *  that comes and goes is connected to again, 100 ms to 3 s after it went. */
export async function openCriChannel(endpoint: string): Promise<CriChannel> {
  // Only here: a node without such a runtime never loads it.
  const { Client, credentials, Metadata } = await import("@grpc/grpc-js");
  const client = new Client(`unix://${socketPath(endpoint)}`, credentials.createInsecure(), {
    // Servers written in Go refuse a socket's path as the authority.
    "grpc.default_authority": "localhost",
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 3_000,
    "grpc.enable_retries": 0,
  });
  return {
    call: (name, request, options = {}) => callOnce(client, { name, request }, options),
    callContainerd: (path, request, options) => {
      const metadata = new Metadata();
      metadata.set(...NAMESPACE_HEADER);
      return callRaw(client, { path, request, metadata }, options);
    },
    follow: (name, request, options) =>
      followStream(
        client,
        {
          path: callPath(name),
          request: encodeRequest(name, request),
          decode: (bytes) => decodeResponse(name, bytes),
          metadata: new Metadata(),
        },
        options,
      ),
    followContainerd: (options) => {
      const metadata = new Metadata();
      metadata.set(...NAMESPACE_HEADER);
      const request = encodeSubscription();
      return followStream(client, { path: SUBSCRIBE_PATH, request, decode: decodeEvent, metadata }, options);
    },
    [Symbol.dispose]: () => client.close(),
  };
}

/** @throws {Fault} "BadEndpoint" */
export function socketPath(endpoint: string): string {
  const path = endpoint.startsWith("unix://") ? endpoint.slice("unix://".length) : endpoint;
  if (!path.startsWith("/"))
    throw new Fault(
      "BadEndpoint",
      `Cannot use container runtime endpoint ${endpoint}: not a unix socket's path`,
    );
  return path;
}

function callOnce<Name extends CallName>(
  client: Client,
  { name, request }: { name: Name; request: Request<Name> },
  options: { timeoutMs?: number | undefined; signal?: AbortSignal },
): Promise<Response<Name>> {
  const timeoutMs =
    "timeoutMs" in options ? options.timeoutMs : name in TIMEOUTS_MS ? TIMEOUTS_MS[name] : CALL_TIMEOUT_MS;
  const { signal } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const call = client.makeUnaryRequest(
      callPath(name),
      (message: Request<Name>) => encodeRequest(name, message),
      (bytes) => decodeResponse(name, bytes),
      request,
      timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
      (error, response) => {
        signal?.removeEventListener("abort", cancel);
        if (signal?.aborted) reject(signal.reason);
        else if (error) reject(faultOf(name, error));
        else if (response === undefined) reject(new CriFault(name, 13, "the answer is empty"));
        else resolve(response);
      },
    );
    const cancel = () => call.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
  });
}

function callRaw(
  client: Client,
  { path, request, metadata }: { path: string; request: Buffer; metadata: Metadata },
  { signal }: { signal: AbortSignal },
): Promise<Uint8Array> {
  const asIs = (bytes: Buffer) => bytes;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const options = { deadline: Date.now() + CALL_TIMEOUT_MS };
    const call = client.makeUnaryRequest(path, asIs, asIs, request, metadata, options, (error, response) => {
      signal.removeEventListener("abort", cancel);
      if (signal.aborted) reject(signal.reason);
      else if (error) reject(faultOf(path, error));
      else resolve(response ?? Buffer.alloc(0));
    });
    const cancel = () => call.cancel();
    signal.addEventListener("abort", cancel, { once: true });
  });
}

interface StreamCall<T> {
  readonly path: string;
  readonly request: Buffer;
  readonly decode: (bytes: Uint8Array) => T;
  readonly metadata: Metadata;
}

async function* followStream<T>(
  client: Client,
  { path, request, decode, metadata }: StreamCall<T>,
  { signal }: { signal: AbortSignal },
): AsyncIterable<T> {
  const asIs = (bytes: Buffer) => bytes;
  const stream = client.makeServerStreamRequest(path, asIs, asIs, request, metadata);
  const cancel = () => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    for await (const bytes of stream) if (bytes instanceof Uint8Array) yield decode(bytes);
  } catch (error) {
    signal.throwIfAborted();
    throw isServiceError(error) ? faultOf(path, error) : error;
  } finally {
    signal.removeEventListener("abort", cancel);
    stream.cancel();
  }
}

function faultOf(name: string, error: ServiceError): CriFault {
  return new CriFault(name, error.code, error.details);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "details" in error;
}
