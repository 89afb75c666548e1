const SUFFIX: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The value of a quantity such as `500m`, `1.5Gi` or `1e3`, in thousandths so that cpu shares stay whole numbers; 0 when unreadable. */
export function milliOf(quantity: string | number | undefined): number {
  const match = /^([+-]?\d*\.?\d+|[+-]?\d+\.)(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(
    String(quantity ?? "0").trim(),
  );
  if (!match) return 0;
  const value = Number(`${match[1]}${match[2] ?? ""}`) * (SUFFIX[match[3] ?? ""] ?? 1);
  return Math.ceil(Number((value * 1000).toPrecision(15)));
}
