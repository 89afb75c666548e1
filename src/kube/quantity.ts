/** An amount in billionths, the finest a Quantity can say, and how it was written. */
export interface Quantity {
  readonly nanos: bigint;
  readonly format: "decimal" | "binary" | "exponent";
}

const SYNTAX = /^([+-]?)(\d*)(?:\.(\d*))?(?:(Ki|Mi|Gi|Ti|Pi|Ei)|(n|u|m|k|M|G|T|P|E)|[eE]([+-]?\d+))?$/;
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const SUFFIXES = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
const NANOS = 1_000_000_000n;
/** How kube-apiserver words a quantity it cannot read. */
export const QUANTITY_RULE =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Reads `500m`, `1.5Gi`, `2e3`; undefined when the text is no quantity. Finer than a billionth is rounded up. */
export function parseQuantity(text: string): Quantity | undefined {
  const known = read.get(text);
  if (known !== undefined) return known;
  const quantity = readQuantity(text);
  if (quantity !== undefined && text.length <= REMEMBERED_CHARS) {
    if (read.size >= REMEMBERED) read.clear();
    read.set(text, quantity);
  }
  return quantity;
}

/** A cluster says the same few amounts again and again. */
const REMEMBERED = 512;
const REMEMBERED_CHARS = 32;
const read = new Map<string, Quantity>();

function readQuantity(text: string): Quantity | undefined {
  const match = SYNTAX.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", binary, decimal, exponent] = match;
  if (whole === "" && fraction === "") return undefined;
  const digits = BigInt(whole + fraction);
  const power = decimal === undefined ? Number(exponent ?? 0) : (DECIMAL[decimal] ?? 0);
  const scale = power - fraction.length + 9;
  if (Math.abs(scale) > 400) return undefined;
  const factor = binary === undefined ? 1n : 1024n ** BigInt(BINARY.indexOf(binary));
  const nanos =
    scale >= 0 ? digits * factor * 10n ** BigInt(scale) : ceilDiv(digits * factor, 10n ** BigInt(-scale));
  const format = binary !== undefined ? "binary" : exponent !== undefined ? "exponent" : "decimal";
  return { nanos: sign === "-" ? -nanos : nanos, format };
}

/** The one spelling an amount is stored in: `1000m` is `1`, `0.5` is `500m`, `1024Mi` is `1Gi`. @see resource.Quantity in apimachinery */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return "0";
  const small = nanos > -1024n * NANOS && nanos < 1024n * NANOS;
  if (format === "binary" && !small && nanos % NANOS === 0n) return formatBinary(nanos / NANOS);
  let mantissa = nanos;
  let thousands = 0;
  while (mantissa % 1000n === 0n && (format === "exponent" || thousands < SUFFIXES.length - 1)) {
    mantissa /= 1000n;
    thousands++;
  }
  if (format !== "exponent") return `${mantissa}${SUFFIXES[thousands]}`;
  const power = thousands * 3 - 9;
  return power === 0 ? String(mantissa) : `${mantissa}e${power}`;
}

/** The stored spelling of any quantity; the text itself when it is none. */
export function canonicalQuantity(text: string): string {
  const quantity = parseQuantity(text);
  return quantity === undefined ? text : formatQuantity(quantity);
}

function formatBinary(amount: bigint): string {
  let mantissa = amount;
  let power = 0;
  while (mantissa % 1024n === 0n && power < BINARY.length - 1) {
    mantissa /= 1024n;
    power++;
  }
  return `${mantissa}${BINARY[power]}`;
}

function ceilDiv(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b;
}

/** A quantity such as `250m`, `64Mi` or `1e3` as a number; undefined when it is none. */
export function amountOf(text: string): number | undefined {
  const quantity = parseQuantity(text);
  return quantity && Number(quantity.nanos) / Number(NANOS);
}

/** The value of a quantity in thousandths, rounded up, so that shares of a processor stay whole numbers; 0 when unreadable. */
export function milliOf(text: string | number | undefined): number {
  const quantity = parseQuantity(String(text ?? "0").trim());
  return quantity ? Number(ceilDiv(quantity.nanos, NANOS / 1000n)) : 0;
}
