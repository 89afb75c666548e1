import { asError, Fault } from "#fault/fault";
import { systemClock } from "#life/clock";
import { askPage } from "./ask-page.ts";
import { getFresh } from "./dial.ts";
import { json, serveHttp } from "./http-server.ts";
import { type Subcommand, say } from "./subcommand.ts";

/** One question: who answered, or why nobody did. */
export interface Asked {
  readonly number: number;
  readonly at: string;
  readonly answer: string;
  readonly isAnswered: boolean;
  readonly tookMs: number;
}

const KEPT = 40;

/** Who answered how often, and the latest questions. */
export class Tally {
  readonly url: string;
  readonly #counts = new Map<string, number>();
  #latest: readonly Asked[] = [];

  constructor(url: string) {
    this.url = url;
  }

  add(asked: Asked): void {
    const name = asked.isAnswered ? asked.answer : `(${asked.answer})`;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#latest = [asked, ...this.#latest].slice(0, KEPT);
  }

  /** `web-1 x3, web-2 x4`, in the order of the names. */
  line(): string {
    return this.#rows()
      .map(([name, count]) => `${name} x${count}`)
      .join(", ");
  }

  snapshot(): { url: string; counts: readonly (readonly [string, number])[]; latest: readonly Asked[] } {
    return { url: this.url, counts: this.#rows(), latest: this.#latest };
  }

  #rows(): (readonly [string, number])[] {
    return [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** Twill's own addition to the image: a client to watch a service with. */
export const ask: Subcommand = {
  summary: "Asks a URL again and again, each time on a new connection, and counts who answered",
  flags: [
    { name: "url", kind: "text", fallback: "", help: "What to ask, such as http://web/hostname" },
    { name: "every", kind: "duration", fallback: "1s", help: "Time between questions" },
    { name: "count", kind: "number", fallback: "0", help: "How many questions; 0 for no end" },
    { name: "timeout", kind: "duration", fallback: "2s", help: "Longest wait for one answer" },
    {
      name: "http-port",
      kind: "number",
      fallback: "0",
      help: "Show the tally as a page on this port; 0 for none",
    },
  ],
  async run({ flags, signal }) {
    const url = URL.parse(flags.text("url"));
    if (url?.protocol !== "http:") throw new Fault("Usage", "--url has to be an http:// address");
    const tally = new Tally(url.href);
    if (flags.number("http-port") > 0) {
      await serveHttp(flags.number("http-port"), ({ url: { pathname } }) => pageFor(pathname, tally), {
        signal,
      });
      say(`Showing the tally on port ${flags.number("http-port")}`);
    }
    const count = flags.number("count") || Number.POSITIVE_INFINITY;
    for (let number = 1; number <= count && !signal.aborted; number++) {
      const asked = await askOnce(url, number, flags.durationMs("timeout"));
      tally.add(asked);
      process.stdout.write(`${asked.number} ${asked.answer} ${asked.tookMs} ms | ${tally.line()}\n`);
      if (number < count) await systemClock.sleep(flags.durationMs("every"), { signal }).catch(() => {});
    }
    return tally.snapshot().latest.every(({ isAnswered }) => isAnswered) || signal.aborted ? 0 : 1;
  },
};

async function askOnce(url: URL, number: number, timeoutMs: number): Promise<Asked> {
  const at = new Date();
  const result = await getFresh(url, timeoutMs).then(
    ({ status, body }) => ({
      isAnswered: status < 400,
      answer: status < 400 ? firstLine(body) : `HTTP ${status}`,
    }),
    (error: unknown) => ({ isAnswered: false, answer: firstLine(asError(error).message) }),
  );
  return { number, at: at.toISOString(), ...result, tookMs: Date.now() - at.getTime() };
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]?.slice(0, 120).trim() || "(empty)";
}

function pageFor(path: string, tally: Tally): ReturnType<typeof json> {
  const headers = { "Cache-Control": "no-store" };
  if (path === "/tally")
    return { ...json(tally.snapshot()), headers: { ...headers, "Content-Type": "application/json" } };
  if (path === "/healthz") return { body: "ok" };
  return { body: askPage, headers: { ...headers, "Content-Type": "text/html; charset=utf-8" } };
}
