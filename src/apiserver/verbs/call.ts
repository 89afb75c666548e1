import type { IncomingMessage, ServerResponse } from "node:http";
import type { Api } from "../api.ts";
import type { AuditEntry } from "../audit/audit.ts";
import type { User } from "../auth/user.ts";
import type { ResourceCache } from "../cache/resource-cache.ts";
import type { View } from "../cache/view.ts";
import type { ResourceRequest } from "../request/info.ts";
import type { Reply } from "../request/reply.ts";

/** One request for a resource, understood and allowed. */
export interface Call {
  readonly api: Api;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly reply: Reply;
  readonly query: URLSearchParams;
  readonly info: ResourceRequest;
  readonly user: User;
  /** The record of the request, when there is to be one. */
  readonly audit?: AuditEntry | undefined;
  /** Where the resource is stored. */
  readonly cache: ResourceCache;
  /** The version it is asked for in. */
  readonly view: View;
}
