import type { FieldError } from "../kinds/kind.ts";
import { badRequest, invalid } from "../status.ts";

export type FieldValidation = "Ignore" | "Warn" | "Strict";

/** What the parameters of a write say. */
export interface WriteOptions {
  readonly dryRun: boolean;
  /** The name under which the write is entered in managedFields: the parameter, or the program of the User-Agent. */
  readonly manager: string;
  readonly fieldValidation: FieldValidation;
}

const OPTIONS_OF: Readonly<Record<string, string>> = {
  POST: "CreateOptions",
  PUT: "UpdateOptions",
  PATCH: "PatchOptions",
  DELETE: "DeleteOptions",
};
const LEVELS: ReadonlySet<string> = new Set(["", "Ignore", "Strict", "Warn"]);

/** Reads the parameters of a write. @throws {StatusFault} Invalid with all that is wrong with them
 *  @see ValidateCreateOptions in apimachinery/pkg/apis/meta/v1/validation */
export function writeOptionsOf(
  query: URLSearchParams,
  request: { readonly method?: string | undefined; readonly userAgent: string | undefined },
): WriteOptions {
  const given = query.get("fieldManager") ?? "";
  const dryRun = query.getAll("dryRun");
  const level = query.get("fieldValidation") ?? "";
  const errors = [...managerErrors(given), ...dryRunErrors(dryRun)];
  if (!LEVELS.has(level))
    errors.push({
      type: "NotSupported",
      path: "fieldValidation",
      value: level,
      detail: 'supported values: "", "Ignore", "Strict", "Warn"',
    });
  const kind = OPTIONS_OF[request.method ?? ""] ?? "CreateOptions";
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind }, "", errors);
  return {
    dryRun: dryRun.length > 0,
    manager: given === "" ? programOf(request.userAgent) : given,
    // Checked above.
    fieldValidation: level === "" ? "Warn" : (level as FieldValidation),
  };
}

/** What is wrong with `dryRun`, which may say `All` and nothing else. */
export function dryRunErrors(values: readonly string[]): FieldError[] {
  if (values.every((value) => value === "All")) return [];
  return [{ type: "NotSupported", path: "dryRun", value: values, detail: 'supported values: "All"' }];
}

const MANAGER_BYTES = 128;

function managerErrors(manager: string): FieldError[] {
  const errors: FieldError[] = [];
  const path = "fieldManager";
  if (Buffer.byteLength(manager) > MANAGER_BYTES)
    errors.push({ type: "TooLong", path, detail: `may not be more than ${MANAGER_BYTES} bytes` });
  const odd = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(manager);
  if (odd !== null) {
    const code = (odd[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    const at = Buffer.byteLength(manager.slice(0, odd.index));
    const detail = `invalid character U+${code} (at position ${at})`;
    errors.push({ type: "Invalid", path, value: manager, detail });
  }
  return errors;
}

function programOf(userAgent: string | undefined): string {
  const program = (userAgent ?? "unknown").split("/")[0] ?? "unknown";
  return program.slice(0, MANAGER_BYTES) || "unknown";
}

/** A boolean parameter as Kubernetes reads it: present and not `false` or `0` is true. */
export function flag(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== "false" && value !== "0";
}

/** A whole number. @throws {StatusFault} BadRequest */
export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^-?\d{1,15}$/.test(text))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** A resourceVersion parameter: undefined when empty. @throws {StatusFault} BadRequest */
export function revision(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(
      `invalid resource version: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Number(text);
}
