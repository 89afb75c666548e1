import dgram from "node:dgram";
import { lookup } from "node:dns/promises";
import { asError } from "#fault/fault";
import type { HttpAnswer } from "./http-server.ts";
import { json } from "./http-server.ts";

const TIMEOUT_MS = 5000;
type Dialer = (request: string, target: Target) => Promise<string>;
export type Target = { readonly address: string; readonly family: number; readonly port: number };

/** Asks another pod and tells what it answered: `{"responses": [...], "errors": [...]}`, each absent when empty. */
export async function dialAnswer(query: URLSearchParams): Promise<HttpAnswer> {
  const text = (name: string) => query.get(name) ?? "";
  const tries = text("tries") === "" ? 1 : Number(text("tries"));
  if (!Number.isInteger(tries)) return refuse(`tries parameter is invalid. ${text("tries")}`);
  if (text("request") === "") return refuse("request parameter not specified.");
  const dial = DIALERS[text("protocol").toLowerCase()];
  if (dial === undefined) return refuse(`unsupported protocol. ${text("protocol")}`);
  const target = await resolve(text("host"), text("port")).catch(() => undefined);
  if (target === undefined) return refuse("host and/or port param are invalid.");
  const responses: string[] = [];
  const errors: string[] = [];
  for (let i = 0; i < tries; i++) {
    await dial(text("request"), target).then(
      (response) => responses.push(response),
      (error: unknown) => errors.push(asError(error).message),
    );
  }
  return json({ ...(errors.length ? { errors } : {}), ...(responses.length ? { responses } : {}) });
}

async function resolve(host: string, port: string): Promise<Target> {
  if (!/^\d{1,5}$/.test(port)) throw new Error("not a port");
  return { ...(await lookup(host)), port: Number(port) };
}

const DIALERS: Readonly<Record<string, Dialer>> = { "": dialHttp, http: dialHttp, udp: dialUdp };

async function dialHttp(request: string, target: Target): Promise<string> {
  const host = target.family === 6 ? `[${target.address}]` : target.address;
  return (await getFresh(new URL(`http://${host}:${target.port}/${request}`), TIMEOUT_MS)).body;
}

/** One GET on a connection of its own, so that each request may reach another pod. */
export async function getFresh(url: URL, timeoutMs: number): Promise<{ status: number; body: string }> {
  const http = await import("node:http");
  const signal = AbortSignal.timeout(timeoutMs);
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, signal, headers: { Connection: "close" } }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      );
    });
    request.on("error", (error) =>
      reject(signal.aborted ? new Error(`timeout after ${timeoutMs} ms`, { cause: error }) : error),
    );
  });
}

function dialUdp(request: string, target: Target): Promise<string> {
  const socket = dgram.createSocket(target.family === 6 ? "udp6" : "udp4");
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error("reading from udp connection failed. err:'i/o timeout'")),
      TIMEOUT_MS,
    );
    socket.on("message", (bytes) => resolve(bytes.toString()));
    socket.on("error", (error) =>
      reject(new Error(`reading from udp connection failed. err:'${error.message}'`)),
    );
    socket.on("close", () => clearTimeout(timer));
    // Connected, so that a refusal comes back as an error.
    socket.connect(target.port, target.address, (error?: Error) => {
      if (error) reject(error);
      else socket.send(request);
    });
  }).finally(() => socket.close());
}

function refuse(reason: string): HttpAnswer {
  return { status: 400, body: `${reason}\n` };
}
