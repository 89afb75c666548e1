type Labels = Readonly<Record<string, string>>;

/** A value that only rises, or one of several that labels tell apart. */
export interface Counter {
  add(labels?: Labels, by?: number): void;
  /** One of the values, its labels formatted once: for paths that are walked often. */
  of(labels: Labels): (by?: number) => void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
  /** As `Counter.of`. */
  of(labels: Labels): (value: number) => void;
}

interface Cell {
  readonly labels: Labels;
  readonly counts: number[];
  sum: number;
  count: number;
}

interface Series {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly lines: () => Iterable<string>;
}

/** What one process measures, printed in the Prometheus text format. Metrics are declared where they are emitted. */
export class Metrics {
  readonly #series: Series[] = [];

  counter(name: string, help: string): Counter {
    const values = this.#declare(name, help, "counter");
    const bump = (key: string, by: number) => void values.set(key, (values.get(key) ?? 0) + by);
    return {
      add: (labels = {}, by = 1) => bump(formatLabels(labels), by),
      of: (labels) => {
        const key = formatLabels(labels);
        return (by = 1) => bump(key, by);
      },
    };
  }

  gauge(name: string, help: string): { set(value: number, labels?: Labels): void } {
    const values = this.#declare(name, help, "gauge");
    return { set: (value, labels = {}) => void values.set(formatLabels(labels), value) };
  }

  /** Values that are looked at only when somebody asks. */
  ask(
    name: string,
    help: string,
    { type, values }: { type: "counter" | "gauge"; values: () => Iterable<readonly [Labels, number]> },
  ): void {
    const lines = function* () {
      for (const [labels, value] of values()) yield `${name}${formatLabels(labels)} ${value}`;
    };
    this.#series.push({ name, help, type, lines });
  }

  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    const cells = new Map<string, Cell>();
    this.#series.push({ name, help, type: "histogram", lines: () => histogramLines(name, buckets, cells) });
    const cellOf = (labels: Labels): Cell => {
      const key = formatLabels(labels);
      const cell = cells.get(key) ?? { labels, counts: buckets.map(() => 0), sum: 0, count: 0 };
      cells.set(key, cell);
      return cell;
    };
    const observe = (cell: Cell, value: number) => {
      const at = buckets.findIndex((bound) => value <= bound);
      if (at >= 0) cell.counts[at] = (cell.counts[at] ?? 0) + 1;
      cell.sum += value;
      cell.count += 1;
    };
    return {
      observe: (value, labels = {}) => observe(cellOf(labels), value),
      of: (labels) => {
        const cell = cellOf(labels);
        return (value) => observe(cell, value);
      },
    };
  }

  /** The whole page of a `/metrics` endpoint; empty where nothing is measured. */
  expose(): string {
    return this.#series
      .map(({ name, help, type, lines }) =>
        [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines()].map((line) => `${line}\n`).join(""),
      )
      .join("");
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

function* histogramLines(
  name: string,
  buckets: readonly number[],
  cells: ReadonlyMap<string, Cell>,
): Generator<string> {
  for (const { labels, counts, sum, count } of cells.values()) {
    let seen = 0;
    for (const [i, bound] of buckets.entries()) {
      seen += counts[i] ?? 0;
      yield `${name}_bucket${formatLabels({ ...labels, le: String(bound) })} ${seen}`;
    }
    yield `${name}_bucket${formatLabels({ ...labels, le: "+Inf" })} ${count}`;
    yield `${name}_sum${formatLabels(labels)} ${sum}`;
    yield `${name}_count${formatLabels(labels)} ${count}`;
  }
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([key, value]) => `${key}="${value.replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
