import type { Duplex } from "node:stream";
import { Fault } from "#fault/fault";
import type { SpdyConnection } from "./spdy-connection.ts";

const MAX_SENTENCE_BYTES = 4096;

/** Forwards connections over one SPDY connection, as its client. */
export class PortClient {
  readonly #connection: SpdyConnection;
  #requests = 0;

  constructor(connection: SpdyConnection) {
    this.#connection = connection;
  }

  /** A connection to one of the pod's ports. That nobody listens there is told by the stream's error. @throws {Fault} "Closed" */
  async open(port: number): Promise<Duplex> {
    const pair = { port: String(port), requestid: String(this.#requests++) };
    const headersOf = (streamtype: string) => new Map(Object.entries({ streamtype, ...pair }));
    const [error, data] = await Promise.all([
      this.#connection.open(headersOf("error")),
      this.#connection.open(headersOf("data")),
    ]);
    error.end();
    let sentence = "";
    error.on("data", (bytes: Buffer) => {
      if (sentence.length < MAX_SENTENCE_BYTES) sentence += bytes.toString("utf8");
    });
    error.once("end", () => {
      if (sentence !== "") data.destroy(new Fault("DialFailed", sentence));
    });
    return data;
  }
}
