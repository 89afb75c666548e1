import { Fault } from "#fault/fault";

/** What one of the five fields of a schedule admits. */
export interface CronField {
  readonly values: ReadonlySet<number>;
  /** Written `*` or `?`, and not thinned out by a step: the other of the two day fields decides alone. */
  readonly isStar: boolean;
}

export interface FieldShape {
  readonly min: number;
  readonly max: number;
  readonly names?: Readonly<Record<string, number>>;
}

/** Reads lists, ranges, steps and names, such as `1-5,*\/15` or `mon-fri`. The message of the fault is robfig/cron's, which
 *  kube-apiserver and the controller quote. @throws {Fault} BadSchedule */
export function parseField(text: string, shape: FieldShape): CronField {
  const values = new Set<number>();
  let isStar = false;
  for (const part of text.split(",").filter((each) => each !== "")) {
    const { first, last, step, star } = parseRange(part, shape);
    for (let value = first; value <= last; value += step) values.add(value);
    isStar ||= star;
  }
  return { values, isStar };
}

export function refuse(message: string, text: string): never {
  throw new Fault("BadSchedule", message, { detail: { text } });
}

function parseRange(
  text: string,
  shape: FieldShape,
): { readonly first: number; readonly last: number; readonly step: number; readonly star: boolean } {
  const [range = "", stepText, ...more] = text.split("/");
  if (more.length > 0) refuse(`too many slashes: ${text}`, text);
  const limits = range.split("-");
  const isWhole = limits[0] === "*" || limits[0] === "?";
  const first = isWhole ? shape.min : parseValue(limits[0] ?? "", shape);
  if (!isWhole && limits.length > 2) refuse(`too many hyphens: ${text}`, text);
  const end = limits.length === 2 && !isWhole ? parseValue(limits[1] ?? "", shape) : first;
  const step = stepText === undefined ? 1 : parseNumber(stepText);
  // A lone value with a step goes on to the end.
  const last = isWhole || (stepText !== undefined && limits.length === 1) ? shape.max : end;
  if (first < shape.min) refuse(`beginning of range (${first}) below minimum (${shape.min}): ${text}`, text);
  if (last > shape.max) refuse(`end of range (${last}) above maximum (${shape.max}): ${text}`, text);
  if (first > last) refuse(`beginning of range (${first}) beyond end of range (${last}): ${text}`, text);
  if (step === 0) refuse(`step of range should be a positive number: ${text}`, text);
  return { first, last, step, star: isWhole && step <= 1 };
}

function parseValue(text: string, { names }: FieldShape): number {
  return names?.[text.toLowerCase()] ?? parseNumber(text);
}

function parseNumber(text: string): number {
  if (!/^[+-]?\d+$/.test(text))
    refuse(
      `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
      text,
    );
  const value = Number(text);
  if (value < 0) refuse(`negative number (${value}) not allowed: ${text}`, text);
  return value;
}
