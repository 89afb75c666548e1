import type { IncomingMessage } from "node:http";

/** The whole body, or undefined when it is longer than `mostBytes`. */
export async function readBody(request: IncomingMessage, mostBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > mostBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
