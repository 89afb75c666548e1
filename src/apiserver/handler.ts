import type { IncomingMessage, ServerResponse } from "node:http";
import { isFault } from "#fault/fault";
import type { Api } from "./api.ts";
import type { AuditEntry } from "./audit/audit.ts";
import type { User } from "./auth/user.ts";
import { OtherRoutes } from "./discovery/routes.ts";
import { requireJson } from "./request/accept.ts";
import type { RequestInfo, ResourceRequest } from "./request/info.ts";
import { Reply } from "./request/reply.ts";
import { type Asker, whoAsks } from "./request/who.ts";
import { asStatus, methodNotAllowed, terminating } from "./status.ts";
import { REVIEWS, review } from "./sub/reviews.ts";
import { subresource } from "./sub/route.ts";
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
    if (view === undefined) {
      const found = REVIEWS.find(({ group, plural }) => group === info.group && plural === info.plural);
      if (found !== undefined && info.version === "v1" && verb === "create")
        return await review(found, { api, ...exchange, info });
      return notThere(reply);
    }
    if (view.spec.custom !== undefined) requireJson(request.headers.accept);
    const call: Call = { api, ...exchange, info, cache: view.cache, view };
    if (info.subresource !== undefined) {
      if (!(await subresource(call))) notThere(reply);
      return;
    }
    const { spec } = view;
    if (!spec.resource.namespaced && info.namespace !== undefined) {
      notThere(reply);
      return;
    }
    const isAllowed = spec.verbs.some((each) => each === verb);
    const isUnscoped =
      spec.resource.namespaced && info.namespace === undefined && verb !== "list" && verb !== "watch";
    const run = isAllowed && !isUnscoped ? VERBS[verb] : undefined;
    // Of a custom kind, what is not allowed is what its definition's end forbids.
    if (run === undefined)
      throw spec.custom && verb === "create"
        ? terminating(verb, spec.resource)
        : methodNotAllowed(verb, spec.resource);
    if (spec.deprecation !== undefined) reply.warn(spec.deprecation);
    await run(call);
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
    // A timeout is an answer: the client asked for the future, or for haste.
    if (fault.httpCode >= 500 && fault.code !== "Timeout")
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
