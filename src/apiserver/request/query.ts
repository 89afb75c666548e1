import { badRequest, invalid, StatusFault } from "../status.ts";

/** Whether the write is only tried. @throws {StatusFault} Invalid for anything but `All` */
export function isDryRun(values: readonly string[], kind: { group: string; kind: string }): boolean {
  for (const value of values)
    if (value !== "All")
      throw invalid(kind, "", [
        { type: "NotSupported", path: "dryRun", value, detail: 'supported values: "All"' },
      ]);
  return values.length > 0;
}

export type FieldValidation = "Ignore" | "Warn" | "Strict";

export function fieldValidationOf(
  query: URLSearchParams,
  kind: { group: string; kind: string },
): FieldValidation {
  const value = query.get("fieldValidation") ?? "";
  if (value === "") return "Warn";
  if (value === "Ignore" || value === "Warn" || value === "Strict") return value;
  throw invalid(kind, "", [
    {
      type: "NotSupported",
      path: "fieldValidation",
      value,
      detail: 'supported values: "Ignore", "Strict", "Warn"',
    },
  ]);
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
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax (${name})`);
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

/** The name under which writes are entered in managedFields: the parameter, or the program of the User-Agent. */
export function fieldManagerOf(query: URLSearchParams, userAgent: string | undefined): string {
  const given = query.get("fieldManager");
  if (given !== null && given !== "") {
    if (given.length > 128)
      throw new StatusFault("Invalid", `fieldManager: Too long: may not be more than 128 bytes`);
    return given;
  }
  const program = (userAgent ?? "unknown").split("/")[0] ?? "unknown";
  return program.slice(0, 128) || "unknown";
}
