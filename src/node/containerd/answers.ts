import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";

/** `runtime.v1.RuntimeService/Version` with an empty request: five bytes that say "not compressed" and "no bytes follow". */
const PATH = "/runtime.v1.RuntimeService/Version";
const EMPTY_MESSAGE = Buffer.alloc(5);

/** Whether a CRI v1 runtime answers on the unix socket. Nothing there, another protocol or silence are all "no". */
export async function answersCri(socket: string, { timeoutMs }: { timeoutMs: number }): Promise<boolean> {
  const session = connectHttp2("http://localhost", { createConnection: () => connect(socket) });
  try {
    return await new Promise<boolean>((resolve) => {
      const no = () => resolve(false);
      session.on("error", no).on("close", no).setTimeout(timeoutMs, no);
      const request = session.request({
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: PATH,
        "content-type": "application/grpc",
        te: "trailers",
      });
      request.on("error", no).on("close", no);
      // A refusal without a body has its status among the headers.
      request.on("response", (headers) => headers["grpc-status"] !== undefined && no());
      request.on("trailers", (trailers) => resolve(trailers["grpc-status"] === "0"));
      request.resume().end(EMPTY_MESSAGE);
    });
  } finally {
    session.destroy();
  }
}
