import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createGzip } from "node:zlib";
import type { StatusFault } from "../status.ts";
import { prefersYaml } from "./accept.ts";

const GZIP_FROM_BYTES = 128 * 1024;

/** The answer to one request: collects warnings, and writes JSON in the form the client can take. */
export class Reply {
  readonly #response: ServerResponse;
  readonly #isPretty: boolean;
  readonly #takesGzip: boolean;
  readonly #isYaml: boolean;
  readonly #warnings = new Set<string>();
  #listener: ((text: string, type: string) => void) | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, query: URLSearchParams) {
    this.#response = response;
    const agent = request.headers["user-agent"] ?? "";
    const pretty = query.get("pretty");
    this.#isYaml = prefersYaml(request.headers.accept);
    this.#isPretty =
      pretty === null ? /^(?:curl|Wget|Mozilla\/5\.0)/.test(agent) : pretty !== "false" && pretty !== "0";
    this.#takesGzip = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  }

  get response(): ServerResponse {
    return this.#response;
  }

  /** Calls `listener` with the whole body, before it is compressed. Streams have none. */
  onBody(listener: (text: string, type: string) => void): void {
    this.#listener = listener;
  }

  /** Adds a Warning header, once for each text. */
  warn(text: string): void {
    this.#warnings.add(text);
  }

  json(code: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
    if (this.#isYaml) return void this.#yaml(code, value, headers);
    const text = this.#isPretty ? `${JSON.stringify(value, null, 2)}\n` : JSON.stringify(value);
    this.send(code, text, "application/json", headers);
  }

  /** Sends text that is JSON already. */
  jsonText(code: number, text: string): void {
    if (this.#isYaml) return void this.#yaml(code, JSON.parse(text), {});
    const body = this.#isPretty ? `${JSON.stringify(JSON.parse(text), null, 2)}\n` : text;
    this.send(code, body, "application/json");
  }

  /** As Go's encoder writes it: keys sorted, lists not indented. Few ask for it, so its library is read when the first one does. */
  async #yaml(code: number, value: unknown, headers: Readonly<Record<string, string>>): Promise<void> {
    const { stringify } = await import("yaml");
    const options = { sortMapEntries: true, indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false };
    this.send(code, stringify(value, options), "application/yaml", headers);
  }

  status(fault: StatusFault): void {
    const headers: Record<string, string> = {};
    const after = fault.details?.retryAfterSeconds;
    if (after !== undefined) headers["Retry-After"] = String(after);
    if (fault.code === "Forbidden") headers["X-Content-Type-Options"] = "nosniff";
    this.json(fault.httpCode, fault.toStatus(), headers);
  }

  send(
    code: number,
    body: string | Uint8Array,
    type: string,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    if (this.#listener !== undefined)
      this.#listener(typeof body === "string" ? body : Buffer.from(body).toString("utf8"), type);
    this.start(code, type, headers);
    if (this.#takesGzip && bytes.length > GZIP_FROM_BYTES) {
      response.setHeader("Content-Encoding", "gzip");
      response.setHeader("Vary", "Accept-Encoding");
      const gzip = createGzip({ level: 1 });
      gzip.pipe(response);
      gzip.end(bytes);
    } else {
      response.setHeader("Content-Length", bytes.length);
      response.end(bytes);
    }
  }

  /** Sends JSON text piece by piece, each when the client has taken the one before; others get a turn in between. */
  async pieces(code: number, texts: Iterable<string>): Promise<void> {
    const response = this.#response;
    if (this.#isYaml) return await this.#yaml(code, JSON.parse([...texts].join("")), {});
    this.start(code, "application/json");
    const source = Readable.from(inTurns(this.#heard(texts)), { objectMode: false });
    try {
      if (!this.#takesGzip) {
        await pipeline(source, response);
        return;
      }
      response.setHeader("Content-Encoding", "gzip");
      response.setHeader("Vary", "Accept-Encoding");
      await pipeline(source, createGzip({ level: 1 }), response);
    } catch {
      // The client left in the middle; there is nobody to tell.
      response.destroy();
    }
  }

  /** The same texts; whoever wants the whole body hears of it at the end. */
  *#heard(texts: Iterable<string>): Generator<string> {
    if (this.#listener === undefined) {
      yield* texts;
      return;
    }
    const all: string[] = [];
    for (const text of texts) {
      all.push(text);
      yield text;
    }
    this.#listener(all.join(""), "application/json");
  }

  /** Sets the status line and the headers without sending them. */
  start(code: number, type: string, headers: Readonly<Record<string, string>> = {}): void {
    const response = this.#response;
    response.statusCode = code;
    response.setHeader("Content-Type", type);
    if (!("Cache-Control" in headers)) response.setHeader("Cache-Control", "no-cache, private");
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const warnings = warningHeaders(this.#warnings);
    if (warnings.length > 0) response.setHeader("Warning", warnings);
  }
}

async function* inTurns(texts: Iterable<string>): AsyncGenerator<string> {
  for (const text of texts) {
    yield text;
    await nextTurn();
  }
}

const MOST_CHARACTERS = 4096;
const MOST_CUT = 256;

/** `299 - "text"` for each text that a header can carry; once they are more than 4096 characters together, each is cut to 256, and what is
 *  beyond 4096 even so is left out. @see recorder.AddWarning in apiserver/pkg/endpoints/filters/warning.go */
export function warningHeaders(texts: Iterable<string>): string[] {
  const sound = [...texts].filter((text) => text !== "" && !/\p{Cc}/u.test(text)).map((text) => [...text]);
  const total = sound.reduce((sum, { length }) => sum + length, 0);
  if (total <= MOST_CHARACTERS) return sound.map(header);
  const kept: string[] = [];
  let written = 0;
  for (const text of sound) {
    if (written >= MOST_CHARACTERS) break;
    const cut = text.slice(0, MOST_CUT);
    written += cut.length;
    kept.push(header(cut));
  }
  return kept;
}

/** UTF-8 in the form in which Node writes its bytes as they are. */
function header(characters: readonly string[]): string {
  const text = `299 - "${characters.join("").replace(/["\\]/g, "\\$&")}"`;
  return Buffer.from(text, "utf8").toString("latin1");
}
