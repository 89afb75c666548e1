import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { JsonObject } from "../json.ts";
import type { KeyPair } from "./authority.ts";

/** What an AdmissionReview's `request` asks, at the path it came to. */
export type WebhookAnswer = (request: Asked, path: string) => JsonObject | Promise<JsonObject>;

// biome-ignore lint/suspicious/noExplicitAny: a review is JSON that tests look into
export type Asked = any;

/** A real HTTPS webhook on the loopback. */
export interface WebhookServer extends AsyncDisposable {
  readonly port: number;
  /** Every question so far. */
  readonly asked: Asked[];
  /** How many connections were made. */
  readonly connections: () => number;
}

/** Answers each AdmissionReview with what `answer` says; its uid is put in. */
export async function openWebhookServer(pair: KeyPair, answer: WebhookAnswer): Promise<WebhookServer> {
  const asked: Asked[] = [];
  let connections = 0;
  const server = createServer(pair, async (request, response) => {
    const review = JSON.parse(await readText(request));
    const question = review.request;
    asked.push(question);
    const path = (request.url ?? "/").split("?")[0] ?? "/";
    const said = await answer(question, path);
    const status = typeof said["httpCode"] === "number" ? said["httpCode"] : 200;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(
      JSON.stringify({
        apiVersion: review.apiVersion,
        kind: "AdmissionReview",
        response: { uid: question.uid, ...said },
      }),
    );
  });
  server.on("secureConnection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    asked,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** A JSON patch as a webhook sends it. */
export function patchAnswer(operations: readonly JsonObject[]): JsonObject {
  return {
    allowed: true,
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
  };
}
