import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { parseDuration } from "#life/duration";
import { dialAnswer } from "./dial.ts";
import { type HttpAnswer, type HttpHandler, type HttpRequest, json } from "./http-server.ts";
import { say } from "./subcommand.ts";

const parameter = (request: HttpRequest, name: string): string => request.url.searchParams.get(name) ?? "";

export const rootAnswer: HttpHandler = () => ({ body: `NOW: ${new Date().toISOString()}` });

const hostnameAnswer: HttpHandler = () => ({ body: hostname() });

/** What each path of `netexec` answers; any other path answers as `/` does. */
export const ROUTES: Readonly<Record<string, HttpHandler>> = {
  "/": rootAnswer,
  "/hostname": hostnameAnswer,
  "/hostName": hostnameAnswer,
  "/clientip": (request) => ({ body: request.client }),
  "/serverport": (request) => ({ body: (request.header("host") ?? "").split(":").at(-1) ?? "" }),
  "/header": headerAnswer,
  "/echo": (request) => withCode(request, 200, (status) => ({ status, body: parameter(request, "msg") })),
  "/redirect": (request) =>
    withCode(request, 302, (status) => ({ status, headers: { Location: parameter(request, "location") } })),
  "/dial": (request) => dialAnswer(request.url.searchParams),
  "/shell": shellAnswer,
  "/upload": uploadAnswer,
  "/exit": exitAnswer,
  "/shutdown": () => process.exit(0),
};

function withCode(
  request: HttpRequest,
  fallback: number,
  answer: (status: number) => HttpAnswer,
): HttpAnswer {
  const code = parameter(request, "code");
  if (code === "") return answer(fallback);
  if (!/^[1-9]\d\d$/.test(code))
    return { body: `argument 'code' must be an integer or empty, got ${JSON.stringify(code)}\n` };
  return answer(Number(code));
}

function headerAnswer(request: HttpRequest): HttpAnswer {
  const key = parameter(request, "key");
  return key === "" ? json(request.headers) : { body: request.header(key) ?? "" };
}

/** Runs the command that the client sent: the point of this test server, which is why it must face nobody but tests. */
function shellAnswer(request: HttpRequest): Promise<HttpAnswer> {
  const command = parameter(request, "shellCommand") || parameter(request, "cmd");
  return new Promise((resolve) => {
    execFile("/bin/sh", ["-c", command], (error, stdout, stderr) => {
      const output = stdout + stderr;
      const reason = error === null ? undefined : `exit status ${String(error.code ?? error.signal)}`;
      resolve(json({ ...(reason ? { error: reason } : {}), ...(output ? { output } : {}) }));
    });
  });
}

async function uploadAnswer(request: HttpRequest): Promise<HttpAnswer> {
  const { headers } = request;
  const form = await new Response(await request.body(), {
    headers: { "Content-Type": headers["content-type"] ?? "" },
  })
    .formData()
    .catch(() => undefined);
  const file = form?.get("file");
  if (!(file instanceof File)) return json({ error: "Unable to upload file." });
  const path = `/uploads/upload${process.pid}-${Date.now()}`;
  try {
    mkdirSync("/uploads", { recursive: true });
    writeFileSync(path, Buffer.from(await file.arrayBuffer()));
    chmodSync(path, 0o700);
  } catch (error) {
    say(`Unable to write ${path}: ${String(error)}`);
    return json({ error: "Unable to open file for write" });
  }
  return json({ output: path }, 201);
}

async function exitAnswer(request: HttpRequest): Promise<HttpAnswer> {
  const times = ["wait", "timeout"].map((name) => {
    const text = parameter(request, name);
    return { name, text, ms: text === "" ? 0 : parseDuration(text) };
  });
  const bad = times.find(({ ms }) => ms === undefined);
  if (bad)
    return {
      body: `argument '${bad.name}' must be a valid golang duration or empty, got ${JSON.stringify(bad.text)}\n`,
    };
  const code = parameter(request, "code") || "0";
  if (!/^\d{1,3}$/.test(code))
    return { body: `argument 'code' must be an integer [0-127] or empty, got ${JSON.stringify(code)}\n` };
  const [beforeMs = 0, closingMs = 0] = times.map(({ ms }) => ms ?? 0);
  say(`Will exit with ${code} in ${beforeMs} ms`);
  await wait(beforeMs);
  if (closingMs === 0) process.exit(Number(code));
  setTimeout(() => process.exit(Number(code)), Math.min(closingMs, 100));
  return {};
}
