import { printable } from "./printable.ts";

/** Facts beside a constant message; an Error is printed with its causes. */
export type Fields = Readonly<Record<string, unknown>>;
export type Level = "debug" | "info" | "warn" | "error";

/** A logger is passed down and narrowed with `child`, never imported. */
export interface Logger {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  child(fields: Fields): Logger;
}

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A logger that writes one `time level message key=value` line per call to `write`. */
export function openLog(
  options: { write: (line: string) => void; level: Level; now?: () => number },
  bound: Fields = {},
): Logger {
  const say = (level: Level) => (message: string, fields?: Fields) => {
    if (RANK[level] < RANK[options.level]) return;
    const time = new Date((options.now ?? Date.now)()).toISOString();
    const line = `${time} ${level.toUpperCase().padEnd(5)} ${message}${formatFields({ ...bound, ...fields })}`;
    options.write(`${printable(line)}\n`);
  };
  return {
    debug: say("debug"),
    info: say("info"),
    warn: say("warn"),
    error: say("error"),
    child: (fields) => openLog(options, { ...bound, ...fields }),
  };
}

/** A logger that says nothing, for code under test that must not print. */
export const silentLog: Logger = openLog({ write: () => {}, level: "error" });

function formatFields(fields: Fields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${formatValue(value)}`)
    .join("");
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(causes(value));
  if (typeof value === "string") return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? String(value);
}

function causes(error: Error): string {
  const parts: string[] = [];
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++)
    parts.push(at.message);
  return parts.join(": ");
}
