import type { IncomingMessage, ServerResponse } from "node:http";
import { isFault } from "#fault/fault";
import type { Api } from "./api.ts";
import type { AuditEntry } from "./audit/audit.ts";
import type { User } from "./auth/user.ts";
import { OtherRoutes } from "./discovery/routes.ts";
import { requireJson } from "./request/accept.ts";
import type { RequestInfo, ResourceRequest } from "./request/info.ts";
import { Reply } from "./request/reply.ts";
import { isInScope, isOwnGroup, isRouted, isWellFormed } from "./request/shape.ts";
import { type Asker, whoAsks } from "./request/who.ts";
import { asStatus, methodNotAllowed, noSuchPath, terminating, wrongMethod } from "./status.ts";
import { subresource } from "./sub/route.ts";
import { answerUnstored } from "./sub/unstored.ts";
import type { Errand } from "./traffic/errand.ts";
import { Traffic, USUAL_LIMITS } from "./traffic/traffic.ts";
import type { Call } from "./verbs/call.ts";
import { deleteCollection, deleteOne } from "./verbs/delete.ts";
import { list } from "./verbs/list.ts";
import { patch } from "./verbs/patch.ts";
import { get } from "./verbs/read.ts";
import { watch } from "./verbs/watch.ts";
import { create, update } from "./verbs/write.ts";

const VERBS: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete: deleteOne,
  deletecollection: deleteCollection,
};

const READS_EVERYWHERE = new Set(["list", "watch", "deletecollection"]);

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly reply: Reply;
  readonly query: URLSearchParams;
  readonly user: User;
  readonly verb: string;
  readonly audit: AuditEntry | undefined;
}

/** Turns each request into an answer: who asks, for what, may they, and then the verb. */
export class Handler {
  readonly #api: Api;
  readonly #other: OtherRoutes;
  readonly #traffic: Traffic;

  constructor(api: Api) {
    this.#api = api;
    this.#other = new OtherRoutes(api);
    this.#traffic = new Traffic(api.options.inFlight ?? USUAL_LIMITS, api.meter);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "/", ...search] = (request.url ?? "/").split("?");
    const query = new URLSearchParams(search.join("?"));
    const reply = new Reply(request, response, query);
    try {
      const asker = await whoAsks(this.#api, { request, response, reply, path, query });
      const exchange = { request, response, reply, query, ...asker };
      const answer = () => this.#answer(path, asker.info, exchange);
      await this.#traffic.run(this.#errand(asker), exchange, answer);
    } catch (error) {
      this.#refuse(error, { request, response, reply });
    }
  }

  /** Never rejects: what cannot be answered is refused. */
  async #answer(path: string, info: RequestInfo, exchange: Exchange): Promise<void> {
    try {
      if (info.is === "resource") await this.#resource(info, exchange);
      else this.#path(path, exchange);
    } catch (error) {
      this.#refuse(error, exchange);
    }
  }

  #errand({ verb, info }: Pick<Asker, "verb" | "info">): Errand {
    const isServed = info.is === "resource" && this.#api.world.viewOf(info) !== undefined;
    return { verb, info: isServed ? info : undefined };
  }

  #path(path: string, { request, reply, query }: Exchange): void {
    if (!this.#other.answer(path, { request, reply, query })) notThere(reply);
  }

  async #resource(info: ResourceRequest, exchange: Exchange): Promise<void> {
    const { request, reply, verb } = exchange;
    const api = this.#api;
    const view = api.world.viewOf(info);
    if (view === undefined) return await this.#unstored(info, exchange);
    const { spec } = view;
    const call: Call = { api, ...exchange, info, cache: view.cache, view };
    if (spec.custom !== undefined) return await this.#custom(call, verb);
    if (!isWellFormed(info, spec)) throw noSuchPath();
    if (info.subresource !== undefined) return await subresource(call);
    const isAllowed =
      isRouted(info, request.method ?? "", spec.resource.namespaced) &&
      spec.verbs.some((each) => each === verb);
    const run = isAllowed ? VERBS[verb] : undefined;
    if (run === undefined) throw wrongMethod();
    if (spec.deprecation !== undefined) reply.warn(spec.deprecation);
    await run(call);
  }

  /** Custom resources are routed by their own server upstream, in other words. */
  async #custom(call: Call, verb: string): Promise<void> {
    const { info, reply, request } = call;
    const { spec } = call.view;
    requireJson(request.headers.accept);
    const isEverywhere = spec.resource.namespaced && info.namespace === undefined;
    if (!isInScope(info, spec.resource.namespaced) || (isEverywhere && !READS_EVERYWHERE.has(verb)))
      return notThere(reply);
    if (info.subresource !== undefined) return await subresource(call);
    const run =
      spec.verbs.some((each) => each === verb) && !(isEverywhere && verb === "deletecollection")
        ? VERBS[verb]
        : undefined;
    // What is not allowed is what the definition's end forbids.
    if (run === undefined)
      throw verb === "create" ? terminating(verb, spec.resource) : methodNotAllowed(verb, spec.resource);
    if (spec.deprecation !== undefined) reply.warn(spec.deprecation);
    await run(call);
  }

  async #unstored(info: ResourceRequest, exchange: Exchange): Promise<void> {
    if (await answerUnstored({ api: this.#api, ...exchange, info })) return;
    if (isOwnGroup(this.#api.world.kinds, info.group)) throw noSuchPath();
    notThere(exchange.reply);
  }

  #refuse(
    error: unknown,
    { request, response, reply }: Pick<Exchange, "request" | "response" | "reply">,
  ): void {
    // Nobody is left to tell: the client went away, or has half an answer already.
    if (response.headersSent || response.destroyed || response.socket?.destroyed === true) {
      response.destroy();
      return;
    }
    const fault = asStatus(error);
    // A timeout is an answer: the client asked for the future, or for haste. So is what has no reason: it is about the request.
    if (fault.httpCode >= 500 && fault.code !== "Timeout" && fault.code !== "Unknown")
      this.#api.log.error("a request could not be answered", {
        method: request.method,
        path: request.url,
        error,
        // Of a fault its sentence tells all; of a bug its place matters.
        stack: error instanceof Error && !isFault(error) ? error.stack : undefined,
      });
    reply.status(fault);
  }
}

function notThere(reply: Reply): void {
  reply.send(404, "404 page not found\n", "text/plain; charset=utf-8", {
    "X-Content-Type-Options": "nosniff",
  });
}
