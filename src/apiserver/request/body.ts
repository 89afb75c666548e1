import type { IncomingMessage } from "node:http";
import { StatusFault } from "../status.ts";

export const BODY_LIMIT_BYTES = 3 * 1024 * 1024;

/** Reads a whole request body. @throws {StatusFault} RequestEntityTooLarge above 3 MiB */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > BODY_LIMIT_BYTES)
      throw new StatusFault(
        "RequestEntityTooLarge",
        `Request entity too large: limit is ${BODY_LIMIT_BYTES}`,
      );
    chunks.push(bytes);
  }
  return chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks);
}

/** The media type of a Content-Type header, without its parameters; JSON when there is none. */
export function mediaType(header: string | undefined): string {
  const type = (header ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return type === "" ? "application/json" : type;
}
