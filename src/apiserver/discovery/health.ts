import type { Reply } from "../request/reply.ts";

const CHECKS = ["ping", "log", "etcd", "informer-sync", "shutdown"];

/** /healthz, /livez and /readyz, with `?verbose`, `?exclude=` and one path per check. The server answers at all only once it is ready. */
export function health(
  endpoint: "healthz" | "livez" | "readyz",
  check: string,
  { reply, query }: { readonly reply: Reply; readonly query: URLSearchParams },
): void {
  if (check !== "") {
    if (CHECKS.includes(check)) reply.send(200, "ok", "text/plain; charset=utf-8");
    else reply.send(404, "404 page not found\n", "text/plain; charset=utf-8");
    return;
  }
  if (!query.has("verbose")) {
    reply.send(200, "ok", "text/plain; charset=utf-8");
    return;
  }
  const excluded = query.getAll("exclude");
  const shown = endpoint === "readyz" ? CHECKS : CHECKS.slice(0, 3);
  const lines = shown.map((name) => (excluded.includes(name) ? `[+]${name} excluded: ok` : `[+]${name} ok`));
  const unknown = excluded.filter((name) => !shown.includes(name));
  if (unknown.length > 0)
    lines.push(
      `warn: some health checks cannot be excluded: no matches for ${unknown.map((name) => JSON.stringify(name)).join(",")}`,
    );
  reply.send(200, `${lines.join("\n")}\n${endpoint} check passed\n`, "text/plain; charset=utf-8");
}
