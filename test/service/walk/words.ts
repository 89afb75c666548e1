/** nft text to words, and words back to one spelling for each value. */
import { containsIp, parseCidr } from "#addr/cidr";
import { isIp, parseIp } from "#addr/ip";

/** `a{b,c} "d e"` becomes `a`, `{`, `b`, `,`, `c`, `}`, `"d e"`. */
export function wordsOf(text: string): string[] {
  return text.match(/"[^"]*"|[{},;]|[^\s{},;"]+/g) ?? [];
}

/** The words of one line, read from the left. */
export class Words {
  readonly #words: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#words = wordsOf(text);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  peek(ahead = 0): string {
    return this.#words[this.#at + ahead] ?? "";
  }

  take(): string {
    const word = this.#words[this.#at++];
    if (word === undefined) throw new Error(`ends too soon: ${this.#words.join(" ")}`);
    return word;
  }

  /** Whether these words come next; they are then taken. */
  takes(...words: readonly string[]): boolean {
    if (!words.every((word, i) => this.peek(i) === word)) return false;
    this.#at += words.length;
    return true;
  }

  expect(...words: readonly string[]): void {
    if (!this.takes(...words))
      throw new Error(`no meaning for "${this.peek()}", "${words.join(" ")}" expected`);
  }
}

/** One spelling for equal values: addresses as we write them, numbers in decimal. */
export function canonical(word: string): string {
  if (isIp(word)) return parseIp(word);
  return /^(?:0x[0-9a-f]+|\d+)$/.test(word) ? String(Number(word)) : word;
}

/** An address that lies in a network written as such, a name that begins as one with a star, or the same word. */
export function matchesWord(value: string, word: string): boolean {
  if (word.endsWith("*")) return value.startsWith(word.slice(0, -1));
  if (word.includes("/")) return isIp(value) && containsIp(parseCidr(word), parseIp(value));
  return canonical(word) === value;
}
