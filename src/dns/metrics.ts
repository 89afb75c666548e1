export type SeriesType = "counter" | "gauge" | "histogram";
export type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly help: string;
  readonly type: SeriesType;
  readonly sources: Set<() => Iterable<string>>;
}

/** What the server measures. Whoever counts keeps plain numbers, and is asked for lines only when somebody scrapes:
 *  a question must not pay for text. */
export class ServerMetrics {
  readonly #families = new Map<string, Family>();

  /** Adds the lines of `source` to the family `name` until `signal` aborts. */
  collect(
    name: string,
    help: string,
    type: SeriesType,
    source: () => Iterable<string>,
    signal: AbortSignal,
  ): void {
    const family = this.#families.get(name) ?? { help, type, sources: new Set() };
    this.#families.set(name, family);
    family.sources.add(source);
    signal.addEventListener("abort", () => family.sources.delete(source), { once: true });
  }

  /** The page of `/metrics`. */
  expose(): string {
    const lines: string[] = [];
    for (const [name, { help, type, sources }] of this.#families) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const source of sources) lines.push(...source());
    }
    return `${lines.join("\n")}\n`;
  }
}

/** One line of the Prometheus text format. */
export function sample(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text.replace(/["\\\n]/g, "\\$&")}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}

/** Observations sorted into buckets. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let i = 0;
    while (i < this.#bounds.length && value > (this.#bounds[i] ?? 0)) i++;
    this.#counts[i] = (this.#counts[i] ?? 0) + 1;
    this.#sum += value;
    this.#count++;
  }

  *lines(name: string, labels: Labels): Iterable<string> {
    let seen = 0;
    for (const [i, bound] of this.#bounds.entries()) {
      seen += this.#counts[i] ?? 0;
      yield sample(`${name}_bucket`, { ...labels, le: String(bound) }, seen);
    }
    yield sample(`${name}_bucket`, { ...labels, le: "+Inf" }, this.#count);
    yield sample(`${name}_sum`, labels, this.#sum);
    yield sample(`${name}_count`, labels, this.#count);
  }
}
