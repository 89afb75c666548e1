import { connect } from "node:http2";
import { formatEndpoint, type Ip } from "#addr/ip";
import { dialError } from "./network-words.ts";

const SERVING = 1;
/** The status of gRPC. */
const UNIMPLEMENTED = "12";

/** Asks `grpc.health.v1.Health/Check` without TLS; success is SERVING. */
export async function tryGrpc(
  target: { ip: Ip; port: number; service: string },
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): Promise<{ isSuccess: boolean; output: string }> {
  try {
    return await ask(target, signal);
  } catch (error) {
    const address = formatEndpoint(target.ip, target.port);
    const why = signal.aborted
      ? `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: context deadline exceeded`
      : `error: health rpc probe failed: ${dialError(error, address)}`;
    throw new Error(why, { cause: error });
  }
}

function ask(
  target: { ip: Ip; port: number; service: string },
  signal: AbortSignal,
): Promise<{ isSuccess: boolean; output: string }> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${formatEndpoint(target.ip, target.port)}`);
    const stop = () => session.destroy(new Error("timed out"));
    signal.addEventListener("abort", stop, { once: true });
    session.once("close", () => signal.removeEventListener("abort", stop));
    session.once("error", reject);
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "kube-probe/1.36",
    });
    const body: Buffer[] = [];
    let status = "0";
    stream.on("data", (chunk: Buffer) => body.push(chunk));
    stream.on("trailers", (trailers) => {
      status = String(trailers["grpc-status"] ?? "0");
    });
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      const serving = servingStatus(Buffer.concat(body));
      const isSuccess = status === "0" && serving === SERVING;
      if (status === UNIMPLEMENTED) {
        const output =
          "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)";
        resolve({ isSuccess: false, output });
        return;
      }
      const words = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
      const why = status === "0" ? (words[serving] ?? String(serving)) : `status ${status}`;
      resolve({ isSuccess, output: isSuccess ? "" : `service unhealthy (responded with "${why}")` });
    });
    stream.end(encodeRequest(target.service));
  });
}

/** A gRPC frame around `HealthCheckRequest { string service = 1 }`. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The `status = 1` field of a `HealthCheckResponse` in a gRPC frame; 0 when absent. */
function servingStatus(frame: Buffer): number {
  return frame[5] === 0x08 ? (frame[6] ?? 0) : 0;
}
