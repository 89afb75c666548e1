import { connect, type IncomingHttpHeaders } from "node:http2";
import { formatEndpoint, type Ip } from "#addr/ip";

const SERVING = 1;
/** The codes of gRPC's status, in the words of its clients. @see doc/statuscodes.md of gRPC */
const CODES = [
  ..."OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied".split(
    " ",
  ),
  ..."ResourceExhausted FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable".split(" "),
  ..."DataLoss Unauthenticated".split(" "),
];
const HEALTH = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** Asks `grpc.health.v1.Health/Check` without TLS; success is SERVING. */
export async function tryGrpc(
  target: { ip: Ip; port: number; service: string },
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number },
): Promise<{ isSuccess: boolean; output: string }> {
  try {
    return await ask(target, signal);
  } catch (error) {
    const address = formatEndpoint(target.ip, target.port);
    // A kubelet dials again until its time is over, and then says that.
    const why = `timeout: failed to connect service "${address}" within ${timeoutMs / 1000}s: context deadline exceeded`;
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
    stream.on("data", (chunk: Buffer) => body.push(chunk));
    let told: IncomingHttpHeaders = {};
    let hasAnswered = false;
    const listen = (headers: IncomingHttpHeaders) => {
      hasAnswered = true;
      if (headers["grpc-status"] !== undefined) told = headers;
    };
    stream.on("response", listen); // A call that failed at once has its status there.
    stream.on("trailers", listen);
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      if (!hasAnswered) reject(new Error("the connection ended before the call was answered"));
      resolve(verdict(told, Buffer.concat(body)));
    });
    stream.end(encodeRequest(target.service));
  });
}

/** What a kubelet says of a call that ended. */
function verdict(told: IncomingHttpHeaders, body: Buffer): { isSuccess: boolean; output: string } {
  const code = Number(told["grpc-status"] ?? 0);
  if (code !== 0) return { isSuccess: false, output: failure(code, messageOf(told)) };
  const serving = servingStatus(body);
  if (serving === SERVING) return { isSuccess: true, output: "" };
  const why = JSON.stringify(HEALTH[serving] ?? String(serving));
  return { isSuccess: false, output: `service unhealthy (responded with ${why})` };
}

function failure(code: number, message: string): string {
  const name = CODES[code] ?? `Code(${code})`;
  return name === "Unimplemented"
    ? `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`
    : `error: health rpc probe failed: rpc error: code = ${name} desc = ${message}`;
}

/** gRPC writes it with percent signs for what is not plain ASCII. */
function messageOf(told: IncomingHttpHeaders): string {
  const text = String(told["grpc-message"] ?? "");
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // Its own words, then.
  }
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
