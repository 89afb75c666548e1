type Labels = Readonly<Record<string, string>>;

interface Series {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly lines: () => Iterable<string>;
}

/** What one process measures, printed in the Prometheus text format. Metrics are declared where they are emitted. */
export class Metrics {
  readonly #series: Series[] = [];

  counter(name: string, help: string): { add(labels?: Labels, by?: number): void } {
    const values = this.#declare(name, help, "counter");
    return { add: (labels = {}, by = 1) => bump(values, labels, by) };
  }

  gauge(name: string, help: string): { set(value: number, labels?: Labels): void } {
    const values = this.#declare(name, help, "gauge");
    return { set: (value, labels = {}) => void values.set(formatLabels(labels), value) };
  }

  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
  ): { observe(value: number, labels?: Labels): void } {
    const cells = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>();
    const lines = function* () {
      for (const cell of cells.values()) {
        let seen = 0;
        for (const [i, bound] of buckets.entries()) {
          seen += cell.counts[i] ?? 0;
          yield `${name}_bucket${formatLabels({ ...cell.labels, le: String(bound) })} ${seen}`;
        }
        yield `${name}_bucket${formatLabels({ ...cell.labels, le: "+Inf" })} ${cell.count}`;
        yield `${name}_sum${formatLabels(cell.labels)} ${cell.sum}`;
        yield `${name}_count${formatLabels(cell.labels)} ${cell.count}`;
      }
    };
    this.#series.push({ name, help, type: "histogram", lines });
    return {
      observe(value, labels = {}) {
        const key = formatLabels(labels);
        const cell = cells.get(key) ?? { labels, counts: buckets.map(() => 0), sum: 0, count: 0 };
        cells.set(key, cell);
        const at = buckets.findIndex((bound) => value <= bound);
        if (at >= 0) cell.counts[at] = (cell.counts[at] ?? 0) + 1;
        cell.sum += value;
        cell.count += 1;
      },
    };
  }

  /** The whole page of a `/metrics` endpoint. */
  expose(): string {
    return this.#series
      .map(({ name, help, type, lines }) =>
        [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines()].join("\n"),
      )
      .join("\n")
      .concat("\n");
  }

  #declare(name: string, help: string, type: "counter" | "gauge"): Map<string, number> {
    const values = new Map<string, number>();
    const lines = function* () {
      for (const [labels, value] of values) yield `${name}${labels} ${value}`;
    };
    this.#series.push({ name, help, type, lines });
    return values;
  }
}

function bump(values: Map<string, number>, labels: Labels, by: number): void {
  const key = formatLabels(labels);
  values.set(key, (values.get(key) ?? 0) + by);
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
