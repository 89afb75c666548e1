import { isObject, numberAt, textAt } from "../json.ts";
import { badRequest } from "../status.ts";

const VERSION = "meta.k8s.io/v1";

/** Where the next page of a list begins. */
export interface Continue {
  /** The state all pages show; below 0: whatever is there when the page is asked for. */
  readonly revision: number;
  /** The first key that may be on the page. */
  readonly start: string;
}

export function encodeContinue({ revision, start }: Continue): string {
  return Buffer.from(JSON.stringify({ v: VERSION, rv: revision, start })).toString("base64url");
}

/** @throws {StatusFault} BadRequest @see DecodeContinue in apiserver/pkg/storage/continue.go */
export function decodeContinue(token: string): Continue {
  const refuse = (why: string) => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  const value = parse(token);
  if (!isObject(value)) throw refuse("incorrectly encoded continue token");
  const version = textAt(value, "v") ?? "";
  if (version !== VERSION)
    throw refuse(`server does not recognize this encoded version ${JSON.stringify(version)}`);
  const revision = numberAt(value, "rv") ?? 0;
  if (!Number.isSafeInteger(revision) || revision === 0)
    throw refuse(`incorrect encoded start resourceVersion (version ${VERSION})`);
  const start = textAt(value, "start") ?? "";
  if (start === "") throw refuse(`encoded start key empty (version ${VERSION})`);
  return { revision, start };
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
