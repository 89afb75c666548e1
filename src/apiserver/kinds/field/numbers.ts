import type { FieldError } from "../kind.ts";
import { invalid } from "./error.ts";

export function nonNegative(path: string, value: number | undefined | null): readonly FieldError[] {
  if (value === undefined || value === null || value >= 0) return [];
  return [invalid(path, value, "must be greater than or equal to 0")];
}

export function validPort(path: string, port: number | undefined | null): readonly FieldError[] {
  if (port !== undefined && port !== null && port >= 1 && port <= 65535) return [];
  return [invalid(path, port ?? 0, "must be between 1 and 65535, inclusive")];
}

/** A count such as 1, or a percentage such as `25%`. */
export function percentOrCount(path: string, value: number | string): readonly FieldError[] {
  if (typeof value === "number") return nonNegative(path, value);
  if (!/^[0-9]+%$/.test(value))
    return [
      invalid(
        path,
        value,
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
      ),
    ];
  return Number.parseInt(value, 10) > 100 ? [invalid(path, value, "must not be greater than 100%")] : [];
}

/** What is wrong with an IANA service name, such as `http` or `dns-tcp`: how pods name their ports. */
export function portNameProblems(name: string): readonly string[] {
  const problems: string[] = [];
  if (name.length > 15) problems.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(name))
    problems.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(name)) problems.push("must contain at least one letter (a-z)");
  if (name.includes("--")) problems.push("must not contain consecutive hyphens");
  if (name.startsWith("-") || name.endsWith("-")) problems.push("must not begin or end with a hyphen");
  return problems;
}

/** A whole number from `least` to `most`. */
export function between(
  path: string,
  value: number | undefined,
  least: number,
  most: number,
): readonly FieldError[] {
  if (value === undefined || (value >= least && value <= most)) return [];
  return [invalid(path, value, `must be between ${least} and ${most}, inclusive`)];
}

/** A port by its number or by the name that a container port has. */
export function portOrName(path: string, port: number | string | undefined): readonly FieldError[] {
  if (typeof port !== "string") return validPort(path, port);
  return portNameProblems(port).map((why) => invalid(path, port, why));
}
