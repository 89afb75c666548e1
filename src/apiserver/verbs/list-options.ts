import type { FieldError } from "../kinds/kind.ts";
import { flag, integer, revision as parseRevision } from "../request/query.ts";
import { badRequest, invalid } from "../status.ts";

const LIST_OPTIONS = { group: "meta.k8s.io", kind: "ListOptions" };
const MATCH = "resourceVersionMatch";
const NOT_WITH_CONTINUE = "resourceVersionMatch is forbidden when continue is provided";

/** From which state a list or a watch is to be answered. */
export interface WantedState {
  /** Undefined when not given; 0 means any state. */
  readonly revision: number | undefined;
  readonly match: "" | "Exact" | "NotOlderThan";
  /** The token of the page before; empty for none. */
  readonly token: string;
  readonly initialEvents: boolean | undefined;
}

/** @throws {StatusFault} Invalid for parameters that do not go together; BadRequest
 *  @see ValidateListOptions in apimachinery/pkg/apis/internalversion/validation */
export function wantedState(query: URLSearchParams, verb: "list" | "watch"): WantedState {
  integer(query, "timeoutSeconds");
  const match = query.get(MATCH) ?? "";
  const token = query.get("continue") ?? "";
  const initialEvents = query.has("sendInitialEvents") ? flag(query, "sendInitialEvents") : undefined;
  const given = { match, token, revision: query.get("resourceVersion") ?? "", initialEvents };
  const errors = verb === "list" ? listErrors(given) : watchErrors(given);
  if (errors.length > 0) throw invalid(LIST_OPTIONS, "", errors);
  const revision = parseRevision(given.revision);
  if (verb === "list" && token !== "" && revision !== undefined && revision !== 0)
    throw badRequest("specifying resource version is not allowed when using continue");
  // Anything else has been refused above.
  return { revision, match: match as WantedState["match"], token, initialEvents };
}

interface Given {
  readonly match: string;
  readonly token: string;
  readonly revision: string;
  readonly initialEvents: boolean | undefined;
}

function listErrors({ match, token, revision, initialEvents }: Given): FieldError[] {
  const errors: FieldError[] = [];
  if (match !== "") {
    if (revision === "") errors.push(forbidden(`${MATCH} is forbidden unless resourceVersion is provided`));
    if (token !== "") errors.push(forbidden(NOT_WITH_CONTINUE));
    if (match !== "Exact" && match !== "NotOlderThan")
      errors.push(unknownMatch(match, '"Exact", "NotOlderThan", ""'));
    if (match === "Exact" && revision === "0")
      errors.push(forbidden(`${MATCH} "exact" is forbidden for resourceVersion "0"`));
  }
  if (initialEvents !== undefined)
    errors.push(forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"));
  return errors;
}

function watchErrors({ match, token, initialEvents }: Given): FieldError[] {
  const errors: FieldError[] = [];
  if (initialEvents !== undefined && match !== "NotOlderThan")
    errors.push(forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  if (match === "") return errors;
  if (initialEvents === undefined)
    errors.push(forbidden(`${MATCH} is forbidden for watch unless sendInitialEvents is provided`));
  if (match !== "NotOlderThan") errors.push(unknownMatch(match, '"NotOlderThan"'));
  if (token !== "") errors.push(forbidden(NOT_WITH_CONTINUE));
  return errors;
}

function forbidden(detail: string, path: string = MATCH): FieldError {
  return { type: "Forbidden", path, detail };
}

function unknownMatch(value: string, supported: string): FieldError {
  return { type: "NotSupported", path: MATCH, value, detail: `supported values: ${supported}` };
}
