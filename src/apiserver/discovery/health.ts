import type { Reply } from "../request/reply.ts";

type Endpoint = "healthz" | "livez" | "readyz";

/** One thing that must be in order. */
export interface Check {
  readonly name: string;
  /** Asked for by /readyz alone: not being ready is no reason to be restarted. */
  readonly onlyReady?: boolean;
  /** Why not, or undefined when it is. */
  readonly problem: () => string | undefined;
}

const PLAIN = "text/plain; charset=utf-8";
const NOSNIFF = { "X-Content-Type-Options": "nosniff" };

/** /healthz, /livez and /readyz, with `?verbose`, `?exclude=` and one path per check.
 *  @see apiserver/pkg/server/healthz/healthz.go */
export class Health {
  readonly #checks: readonly Check[];

  constructor(checks: readonly Check[]) {
    const fine = (name: string): Check => ({ name, problem: () => undefined });
    this.#checks = [fine("ping"), fine("log"), ...checks];
  }

  /** `check` is what follows the endpoint in the path; it may hold slashes. */
  answer(
    endpoint: Endpoint,
    check: string,
    { reply, query }: { readonly reply: Reply; readonly query: URLSearchParams },
  ): void {
    const checks = this.#checks.filter(({ onlyReady }) => endpoint === "readyz" || onlyReady !== true);
    if (check === "") this.#all(endpoint, checks, { reply, query });
    else one(checks, check, reply);
  }

  #all(
    endpoint: Endpoint,
    checks: readonly Check[],
    { reply, query }: { readonly reply: Reply; readonly query: URLSearchParams },
  ): void {
    const excluded = new Set(query.getAll("exclude"));
    const lines: string[] = [];
    let isFine = true;
    for (const { name, problem } of checks) {
      if (excluded.delete(name)) lines.push(`[+]${name} excluded: ok`);
      else if (problem() === undefined) lines.push(`[+]${name} ok`);
      else {
        // Whoever may not see more is anybody; the reason stands in the log and below the check's own path.
        lines.push(`[-]${name} failed: reason withheld`);
        isFine = false;
      }
    }
    if (excluded.size > 0)
      lines.push(
        `warn: some health checks cannot be excluded: no matches for ${[...excluded].map((name) => JSON.stringify(name)).join(",")}`,
      );
    const text = `${lines.join("\n")}\n${endpoint} check ${isFine ? "passed" : "failed"}\n`;
    if (!isFine) reply.send(500, text, PLAIN, NOSNIFF);
    else reply.send(200, query.has("verbose") ? text : "ok", PLAIN, NOSNIFF);
  }
}

function one(checks: readonly Check[], wanted: string, reply: Reply): void {
  const check = checks.find(({ name }) => name === wanted);
  if (check === undefined) {
    reply.send(404, "404 page not found\n", PLAIN, NOSNIFF);
    return;
  }
  const problem = check.problem();
  if (problem === undefined) reply.send(200, "ok", PLAIN, NOSNIFF);
  else reply.send(500, `internal server error: ${problem}\n`, PLAIN, NOSNIFF);
}
