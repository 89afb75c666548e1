/** A double with exactly so many decimals, rounded to the nearest and halves to even, as its binary value is. */
export function fixedPoint(value: number, decimals: number): string {
  const { sign, mantissa, exponent } = parts(value);
  const scale = 10n ** BigInt(decimals);
  const digits =
    exponent >= 0
      ? (mantissa << BigInt(exponent)) * scale
      : halfToEven(mantissa * scale, 1n << BigInt(-exponent));
  const text = digits.toString().padStart(decimals + 1, "0");
  const whole = text.slice(0, text.length - decimals);
  return `${sign}${whole}${decimals === 0 ? "" : `.${text.slice(-decimals)}`}`;
}

function parts(value: number): {
  readonly sign: string;
  readonly mantissa: bigint;
  readonly exponent: number;
} {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const power = Number((bits >> 52n) & 0x7ffn);
  const rest = bits & 0xfffffffffffffn;
  return {
    sign: bits >> 63n === 1n ? "-" : "",
    mantissa: power === 0 ? rest : rest | (1n << 52n),
    exponent: Math.max(power, 1) - 1075,
  };
}

function halfToEven(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator;
  const twice = (numerator % denominator) * 2n;
  if (twice > denominator || (twice === denominator && whole % 2n === 1n)) return whole + 1n;
  return whole;
}
