import type { IncomingMessage } from "node:http";
import { StatusFault } from "../status.ts";

export const BODY_LIMIT_BYTES = 3 * 1024 * 1024;
/** A client that sends more than this is not waiting for an answer. */
const DROPPED_BYTES = 16 * BODY_LIMIT_BYTES;
const NOTHING = Buffer.alloc(0);

/** Reads a whole request body. What is too long is read on and dropped, for whoever is still sending does not hear an answer.
 *  @throws {StatusFault} RequestEntityTooLarge above 3 MiB; {Error} when the client goes away in the middle */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_LIMIT_BYTES) chunks.push(chunk);
      else if (size > DROPPED_BYTES) request.destroy();
      else reject(tooLarge());
    });
    request.once("end", () => resolve(chunks.length === 1 ? (chunks[0] ?? NOTHING) : Buffer.concat(chunks)));
    request.once("error", reject);
    request.once("close", () => {
      // Every request closes in the end: an error, with its stack, is made only for those that break off.
      if (!request.readableEnded) reject(new Error("the client went away"));
    });
  });
}

function tooLarge(): StatusFault {
  return new StatusFault("RequestEntityTooLarge", `Request entity too large: limit is ${BODY_LIMIT_BYTES}`);
}

/** The media type of a Content-Type header, without its parameters; JSON when there is none. */
export function mediaType(header: string | undefined): string {
  const type = (header ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return type === "" ? "application/json" : type;
}
