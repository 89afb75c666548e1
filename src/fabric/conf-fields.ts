import { nearestWord } from "#fault/near-word";

/** What is wrong with a configuration, and what will be ignored in it. */
export interface Findings {
  readonly problems: string[];
  readonly warnings: string[];
}

/** Reads a JSON object field by field as Go does, keys in any case and `null` as absent, and tells every problem with the
 *  field's name instead of throwing. */
export class ConfFields {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #asked: string[] = [];
  readonly #place: string;
  readonly #findings: Findings;

  /** @param place how fields are called, such as `Backend.` */
  constructor(raw: Readonly<Record<string, unknown>>, place: string, findings: Findings) {
    this.#values = new Map(Object.entries(raw).filter(([, value]) => value !== null));
    this.#place = place;
    this.#findings = findings;
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  /** The value as it stands, of whatever kind. */
  raw(key: string): unknown {
    const found = this.#find(key);
    return found === undefined ? undefined : this.#values.get(found);
  }

  flag(key: string, otherwise: boolean): boolean {
    const value = this.raw(key) ?? otherwise;
    if (typeof value === "boolean") return value;
    this.bad(key, "write true or false, without quotes");
    return otherwise;
  }

  /** @param write what the value has to be, for whoever wrote another */
  text(key: string, write: string): string | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === "string") return value;
    this.bad(key, write);
    return undefined;
  }

  whole(key: string, range: { readonly from: number; readonly to: number; readonly otherwise: number }) {
    const value = this.raw(key) ?? range.otherwise;
    if (typeof value === "number" && Number.isInteger(value) && value >= range.from && value <= range.to)
      return value;
    const { from, to, otherwise } = range;
    this.bad(key, `write a whole number from ${from} to ${to}, such as ${otherwise}`);
    return otherwise;
  }

  /** Notes that a field's value cannot be taken, and what can. */
  bad(key: string, write: string): void {
    this.problem(key, `is ${shown(this.raw(key))}; ${write}`);
  }

  problem(key: string, what: string): void {
    this.#findings.problems.push(`${this.#place}${key} ${what}`);
  }

  warn(key: string, what: string): void {
    this.#findings.warnings.push(`${this.#place}${key} ${what}`);
  }

  /** Warns of every field that nobody has asked for. */
  warnOfOthers(of: string): void {
    const asked = new Set(this.#asked.map((key) => key.toLowerCase()));
    for (const key of [...this.#values.keys()].filter((each) => !asked.has(each.toLowerCase()))) {
      const near = nearestWord(key, this.#asked);
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      this.#findings.warnings.push(
        `${this.#place}${key.slice(0, MOST_SHOWN)} is not an option of ${of} and is ignored${hint}`,
      );
    }
  }

  #find(key: string): string | undefined {
    if (!this.#asked.includes(key)) this.#asked.push(key);
    if (this.#values.has(key)) return key;
    const lower = key.toLowerCase();
    return [...this.#values.keys()].find((each) => each.toLowerCase() === lower);
  }
}

const MOST_SHOWN = 60;

function shown(value: unknown): string {
  if (value === undefined) return "missing";
  const text = JSON.stringify(value);
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}...` : text;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
