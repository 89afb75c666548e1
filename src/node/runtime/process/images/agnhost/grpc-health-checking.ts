import { readFileSync } from "node:fs";
import { createSecureServer, createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { Fault } from "#fault/fault";
import { untilAborted } from "../preamble.ts";
import type { Flags } from "./flags.ts";
import { serveHttp } from "./http-server.ts";
import { type Subcommand, say } from "./subcommand.ts";

const CHECK = "/grpc.health.v1.Health/Check";
const MOST_REQUEST_BYTES = 64 * 1024;
const FRAME_HEAD_BYTES = 5;
/** Of `HealthCheckResponse`. */
const [SERVING, NOT_SERVING] = [1, 2];
/** Codes of gRPC. */
const [OK, NOT_FOUND, UNIMPLEMENTED] = [0, 5, 12];

/** Whether the service is well, by what it was told and by the time. */
interface Health {
  readonly service: string;
  readonly isServing: () => boolean;
}

export const grpcHealthChecking: Subcommand = {
  summary: "Serves gRPC's health check, for testing probes",
  flags: [
    { name: "port", kind: "number", fallback: "5000", help: "Port number of gRPC" },
    {
      name: "http-port",
      kind: "number",
      fallback: "8080",
      help: "Port of /make-serving and /make-not-serving",
    },
    {
      name: "delay-unhealthy-sec",
      kind: "number",
      fallback: "-1",
      help: "Seconds until it is not serving any more; negative: never",
    },
    { name: "service", kind: "text", fallback: "", help: "Name of the service that is checked" },
    { name: "tls-cert-file", kind: "text", fallback: "", help: "Certificate that makes it gRPC over TLS" },
    { name: "tls-private-key-file", kind: "text", fallback: "", help: "Key of the certificate" },
  ],
  async run({ flags, signal }) {
    const started = Date.now();
    const delaySeconds = flags.number("delay-unhealthy-sec");
    let isForcedDown = false;
    const isOld = () => delaySeconds >= 0 && Date.now() - started >= delaySeconds * 1000;
    await serveHttp(
      flags.number("http-port"),
      ({ url }) => {
        if (!/^\/make-(?:not-)?serving$/.test(url.pathname)) return { status: 404 };
        isForcedDown = url.pathname === "/make-not-serving";
        return { body: `${(Date.now() - started) / 1000}s` };
      },
      { signal },
    );
    const health = { service: flags.text("service"), isServing: () => !isForcedDown && !isOld() };
    await serveHealth(flags, health, signal);
    say(`gRPC server on port ${flags.number("port")}`);
    await untilAborted(signal);
    return 0;
  },
};

async function serveHealth(flags: Flags, health: Health, signal: AbortSignal): Promise<void> {
  const server = serverFor(flags);
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {}); // A client that went away needs no answer.
    const request: Buffer[] = [];
    let bytes = 0;
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MOST_REQUEST_BYTES) request.push(chunk);
    });
    stream.on("end", () => {
      if (headers[":path"] === CHECK) answer(stream, serviceOf(Buffer.concat(request)), health);
      else refuse(stream, UNIMPLEMENTED, "unknown method");
    });
  });
  signal.addEventListener("abort", () => server.close());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(flags.number("port"), resolve);
  });
}

function serverFor(flags: Flags): Http2Server {
  const [cert, key] = [flags.text("tls-cert-file"), flags.text("tls-private-key-file")];
  if ((cert === "") !== (key === ""))
    throw new Fault("Usage", "--tls-cert-file and --tls-private-key-file go together");
  return cert === ""
    ? createServer()
    : createSecureServer({ cert: readFileSync(cert), key: readFileSync(key) });
}

function answer(stream: ServerHttp2Stream, service: string, health: Health): void {
  if (service !== health.service) {
    refuse(stream, NOT_FOUND, "unknown service");
    return;
  }
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": String(OK) }));
  const message = Buffer.from([0x08, health.isServing() ? SERVING : NOT_SERVING]);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([head, message]));
}

/** Headers alone, as servers of gRPC fail a call. */
function refuse(stream: ServerHttp2Stream, code: number, message: string): void {
  const status = { "grpc-status": String(code), "grpc-message": message };
  stream.respond({ ":status": 200, "content-type": "application/grpc", ...status }, { endStream: true });
}

/** The first field of a `HealthCheckRequest` in a gRPC frame; names of 128 bytes and more are cut. */
function serviceOf(frame: Buffer): string {
  const message = frame.subarray(FRAME_HEAD_BYTES);
  return message[0] === 0x0a ? message.toString("utf8", 2, 2 + Math.min(message[1] ?? 0, 127)) : "";
}
