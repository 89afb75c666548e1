/** The part of TOML that configuration files are written in. @see toml.io, v1.0.0 */
export type TomlValue = string | number | boolean | readonly (string | readonly string[])[];
export interface TomlTable {
  readonly [key: string]: TomlValue | TomlTable | undefined;
}

/** A file that reads back as `table`: values before tables, each table under its whole name, what is undefined left out. */
export function renderToml(table: TomlTable): string {
  return `${section(table, []).trim()}\n`;
}

function section(table: TomlTable, path: readonly string[]): string {
  const values: string[] = [];
  const tables: string[] = [];
  for (const [key, value] of Object.entries(table)) {
    if (value === undefined) continue;
    if (isTable(value)) tables.push(section(value, [...path, key]));
    else values.push(`${renderKey(key)} = ${renderValue(value)}\n`);
  }
  const header = path.length > 0 && values.length > 0 ? `\n[${path.map(renderKey).join(".")}]\n` : "";
  return header + values.join("") + tables.join("");
}

function isTable(value: TomlValue | TomlTable): value is TomlTable {
  return typeof value === "object" && !Array.isArray(value);
}

function renderKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : renderText(key);
}

function renderValue(value: TomlValue): string {
  if (typeof value === "string") return renderText(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return `[${value.map(renderValue).join(", ")}]`;
}

/** A basic string: JSON's escapes are among TOML's, but for the one control character that JSON leaves as it is. */
function renderText(text: string): string {
  return JSON.stringify(text).replaceAll("\x7f", "\\u007f");
}
