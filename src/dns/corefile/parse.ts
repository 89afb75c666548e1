import { CorefileFault, type Place } from "./fault.ts";
import { expandGlob, isGlob, resolveFrom } from "./import-path.ts";
import { readTokens, type TokenLine } from "./tokens.ts";

/** One plugin line with its arguments, and the lines of its own block. */
export interface Directive extends Place {
  readonly name: string;
  readonly args: readonly string[];
  readonly body: readonly Directive[];
}

export interface ServerBlock extends Place {
  /** Addresses as written, such as `.:53`. */
  readonly keys: readonly string[];
  readonly directives: readonly Directive[];
}

export interface Corefile {
  readonly blocks: readonly ServerBlock[];
  /** What is odd but no error, such as an import that matched nothing. */
  readonly warnings: readonly string[];
  /** The text of every file that was read, for telling whether anything changed. */
  readonly texts: readonly string[];
}

export interface CorefileSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file. @throws when there is none */
  readonly readFile: (path: string) => string;
  /** Names in a folder; none when it does not exist. */
  readonly listFolder: (path: string) => readonly string[];
}

const MAX_IMPORTS = 10_000;

/** Reads a Corefile with all its imports. @throws {CorefileFault} at the first mistake */
export function parseCorefile(text: string, file: string, source: CorefileSource): Corefile {
  return new Parser(source).parse(text, file);
}

class Parser {
  readonly #source: CorefileSource;
  readonly #snippets = new Map<string, readonly Directive[]>();
  readonly #warnings: string[] = [];
  readonly #texts: string[] = [];
  readonly #open = new Set<string>();
  #imports = 0;

  constructor(source: CorefileSource) {
    this.#source = source;
  }

  parse(text: string, file: string): Corefile {
    const blocks = this.#blocks(this.#linesOf(text, file));
    return { blocks, warnings: this.#warnings, texts: this.#texts };
  }

  #linesOf(text: string, file: string): TokenLine[] {
    this.#texts.push(text);
    return readTokens(text, file, this.#source.env);
  }

  /** Server blocks, snippets and imports of blocks, to the end of the file. */
  #blocks(lines: readonly TokenLine[]): ServerBlock[] {
    const blocks: ServerBlock[] = [];
    const queue = [...lines];
    for (let line = queue.shift(); line !== undefined; line = queue.shift()) {
      const [first] = line;
      if (first.text === "import") {
        blocks.push(...this.#importBlocks(line));
        continue;
      }
      const keys = keysOf(line, queue);
      const opens = keys.at(-1) === "{";
      if (opens) keys.pop();
      else if (blocks.length > 0) throw new CorefileFault(first, `expected '{' after "${keys.join(" ")}"`);
      const directives = this.#directives(queue, first, opens ? "brace" : "end");
      const snippet = /^\(([^()\s]+)\)$/.exec(keys.join(" "));
      if (snippet?.[1] !== undefined) this.#define(snippet[1], directives, first);
      else blocks.push({ keys, directives, file: first.file, line: first.line });
    }
    return blocks;
  }

  #define(name: string, directives: readonly Directive[], place: Place): void {
    if (this.#snippets.has(name)) throw new CorefileFault(place, `redeclaration of snippet (${name})`);
    this.#snippets.set(name, directives);
  }

  #directives(queue: TokenLine[], opening: Place, until: "brace" | "end"): Directive[] {
    const out: Directive[] = [];
    for (let line = queue.shift(); line !== undefined; line = queue.shift()) {
      const [first, ...rest] = line;
      if (first.text === "}") {
        if (until === "end")
          throw new CorefileFault(first, "unexpected '}' because no matching opening brace");
        if (rest[0]) queue.unshift([rest[0], ...rest.slice(1)]);
        return out;
      }
      const opens = rest.at(-1)?.text === "{";
      const args = (opens ? rest.slice(0, -1) : rest).map((token) => token.text);
      if (first.text === "import") {
        out.push(...this.#importDirectives(first, args));
        continue;
      }
      const body = opens ? this.#directives(queue, first, "brace") : [];
      out.push({ name: first.text, args, body, file: first.file, line: first.line });
    }
    if (until === "brace") throw new CorefileFault(opening, "unexpected end of file: a '{' is never closed");
    return out;
  }

  #importBlocks([first, ...rest]: TokenLine): ServerBlock[] {
    const target = this.#importTarget(
      first,
      rest.map((token) => token.text),
    );
    const snippet = this.#snippets.get(target);
    if (snippet) throw new CorefileFault(first, `the snippet ${target} cannot stand outside a server block`);
    return this.#files(first, target).flatMap(({ path, text }) =>
      this.#inside(path, first, () => this.#blocks(this.#linesOf(text, path))),
    );
  }

  #importDirectives(place: Place, args: readonly string[]): readonly Directive[] {
    const target = this.#importTarget(place, args);
    const snippet = this.#snippets.get(target);
    if (snippet) return snippet;
    return this.#files(place, target).flatMap(({ path, text }) =>
      this.#inside(path, place, () =>
        this.#directives(this.#linesOf(text, path), { file: path, line: 1 }, "end"),
      ),
    );
  }

  /** Reads one file while it counts as open. @throws {CorefileFault} when it is open already: it imports itself */
  #inside<T>(path: string, place: Place, read: () => T): T {
    if (this.#open.has(path)) throw new CorefileFault(place, `${path} imports itself`);
    this.#open.add(path);
    try {
      return read();
    } finally {
      this.#open.delete(path);
    }
  }

  #importTarget(place: Place, args: readonly string[]): string {
    const [target] = args;
    if (target === undefined || args.length !== 1)
      throw new CorefileFault(place, "import takes exactly one argument: a snippet, a file or a pattern");
    if (++this.#imports > MAX_IMPORTS) throw new CorefileFault(place, `more than ${MAX_IMPORTS} imports`);
    return target;
  }

  #files(place: Place, target: string): { path: string; text: string }[] {
    const path = resolveFrom(place.file, target);
    const paths = isGlob(path) ? expandGlob(path, place, this.#source.listFolder) : [path];
    if (paths.length === 0) this.#warnings.push(`No files matching import glob pattern: ${target}`);
    return paths.map((each) => ({ path: each, text: this.#read(place, each) }));
  }

  #read(place: Place, path: string): string {
    try {
      return this.#source.readFile(path);
    } catch (error) {
      throw new CorefileFault(
        place,
        `cannot import ${path}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
}

/** The addresses before a block; a trailing comma goes on in the next line. */
function keysOf(line: TokenLine, queue: TokenLine[]): string[] {
  const words = line.map((token) => token.text);
  while (words.at(-1)?.endsWith(",") && queue.length > 0) {
    words.push(...(queue.shift() ?? []).map((token) => token.text));
  }
  return words.flatMap((word) => (word === "{" ? [word] : word.split(","))).filter((word) => word !== "");
}
