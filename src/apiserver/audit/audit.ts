import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "#life/clock";
import type { User } from "../auth/user.ts";
import { isObject, type Json, type JsonObject, objectAt, textAt } from "../json.ts";
import type { Reply } from "../request/reply.ts";
import { auditEvent } from "./event.ts";
import {
  type AuditPolicy,
  type AuditStage,
  type AuditTarget,
  type AuditVerdict,
  verdictOf,
} from "./policy.ts";
import type { AuditSink } from "./sink.ts";

/** What the server is told of auditing. */
export interface AuditOptions {
  readonly policy: AuditPolicy;
  readonly sink: AuditSink;
}

export interface Audited {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly reply: Reply;
  readonly user: User;
  readonly target: AuditTarget;
  /** Its credentials are not good. */
  readonly isRefused?: boolean;
}

interface Means {
  readonly verdict: AuditVerdict;
  readonly id: string;
  readonly sink: AuditSink;
  readonly clock: Clock;
}

const LONG_RUNNING = new Set(["attach", "exec", "log", "portforward", "proxy"]);

/** Writes down who asked for what, and what came of it, as far as the policy wants it. */
export class AuditLog {
  readonly #options: AuditOptions;
  readonly #clock: Clock;

  constructor(options: AuditOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Begins the record of a request; undefined when the policy wants nothing of it. */
  begin(audited: Audited): AuditEntry | undefined {
    const verdict = verdictOf(this.#options.policy, audited.user, audited.target);
    const id = String(audited.request.headers["audit-id"] ?? "") || randomUUID();
    audited.response.setHeader("Audit-Id", id);
    if (verdict.level === "None") return undefined;
    return new AuditEntry(audited, { verdict, id, sink: this.#options.sink, clock: this.#clock });
  }
}

/** The record of one request, written at each of its stages. */
export class AuditEntry {
  readonly #audited: Audited;
  readonly #means: Means;
  readonly #receivedAt: number;
  readonly #annotations: Record<string, string> = {};
  /** Read while the connection is there. */
  readonly #sourceIps: readonly string[];
  #impersonated: User | undefined;
  #constraint = "";
  /** Of something new, which the path does not name. */
  #name: string | undefined;
  #requestObject: Json | undefined;
  #body: { readonly text: string; readonly type: string } | undefined;

  constructor(audited: Audited, means: Means) {
    this.#audited = audited;
    this.#means = means;
    this.#receivedAt = means.clock.now();
    this.#sourceIps = sourceIpsOf(audited.request);
    if (audited.isRefused !== true) this.#write("RequestReceived");
    const { response, reply, target } = audited;
    reply.onBody((text, type) => {
      this.#body = { text, type };
    });
    if (isLongRunning(target)) this.#tellStart(response);
    // Of somebody unknown only the refusal is written.
    response.once("close", () =>
      this.#write(audited.isRefused === true ? "ResponseStarted" : "ResponseComplete"),
    );
  }

  /** Adds what somebody on the request's way has to say of it; the first to use a key keeps it. */
  annotate(key: string, value: string): void {
    this.#annotations[key] ??= value;
  }

  /** `constraint`: the verb that allowed it; empty for the one that allows everything. */
  actsAs(user: User, constraint: string): void {
    this.#impersonated = user;
    this.#constraint = constraint;
  }

  /** The request's body, once it is understood. Nobody may change it afterwards. */
  asked(body: Json): void {
    const { level } = this.#means.verdict;
    if (this.#audited.target.verb === "create") this.#name = textAt(objectAt(body, "metadata"), "name");
    if (level === "Request" || level === "RequestResponse") this.#requestObject = structuredClone(body);
  }

  /** The same, of a body that is kept as it came: a patch. */
  askedText(bytes: Buffer): void {
    const { level } = this.#means.verdict;
    if (level !== "Request" && level !== "RequestResponse") return;
    const text = bytes.toString("utf8");
    try {
      this.#requestObject = JSON.parse(text);
    } catch {
      this.#requestObject = text;
    }
  }

  /** A long answer is written down when it begins: it may never end. */
  #tellStart(response: ServerResponse): void {
    const writeHead = response.writeHead.bind(response);
    let isTold = false;
    response.writeHead = ((...args: Parameters<typeof writeHead>) => {
      const out = writeHead(...args);
      if (!isTold) {
        isTold = true;
        this.#write("ResponseStarted");
      }
      return out;
    }) as typeof response.writeHead;
  }

  #write(stage: AuditStage): void {
    const { verdict, id, sink, clock } = this.#means;
    if (verdict.omitStages.has(stage)) return;
    const { request, response, user, target } = this.#audited;
    const isAnswered = stage !== "RequestReceived";
    const body = isAnswered ? this.#answer() : undefined;
    const isStatus = body !== undefined && body["kind"] === "Status";
    sink.write(
      JSON.stringify(
        auditEvent({
          id,
          level: verdict.level,
          stage,
          uri: request.url ?? "",
          user,
          impersonated: this.#impersonated,
          constraint: this.#constraint,
          sourceIps: this.#sourceIps,
          userAgent: request.headers["user-agent"] ?? "",
          target,
          status: isAnswered ? { code: response.statusCode, body: isStatus ? body : undefined } : undefined,
          name: isAnswered ? this.#name : undefined,
          requestObject: isAnswered ? this.#requestObject : undefined,
          responseObject: body,
          omitManagedFields: verdict.omitManagedFields,
          receivedAt: this.#receivedAt,
          now: clock.now(),
          annotations: this.#annotations,
        }),
      ),
    );
  }

  /** The answer as an object, where it is needed: for a Status always, else for a level that shows it. */
  #answer(): JsonObject | undefined {
    const { statusCode } = this.#audited.response;
    if (this.#body === undefined || !this.#body.type.includes("json")) return undefined;
    const isShown = this.#means.verdict.level === "RequestResponse";
    if (!isShown && statusCode < 400 && !this.#body.text.startsWith(STATUS_START)) return undefined;
    try {
      const value: unknown = JSON.parse(this.#body.text);
      return isObject(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }
}

const STATUS_START = '{"kind":"Status",';

function isLongRunning({ verb, resource }: AuditTarget): boolean {
  return verb === "watch" || (resource?.subresource !== undefined && LONG_RUNNING.has(resource.subresource));
}

/** Whom the proxies on the way name, then who is at the other end of the connection. */
function sourceIpsOf({ headers, socket }: IncomingMessage): readonly string[] {
  const forwarded = String(headers["x-forwarded-for"] ?? "")
    .split(",")
    .map((ip) => ip.trim())
    .filter((ip) => ip !== "");
  const remote = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  return [...new Set([...forwarded, ...(remote === "" ? [] : [remote])])];
}
