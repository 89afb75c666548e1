/** Paths of fields that stand twice in one object of a JSON text, such as `spec.replicas`. The text must be valid JSON. */
export function duplicateFields(text: string): string[] {
  return fieldsOf(text)
    .filter(({ isRepeated }) => isRepeated)
    .map(({ path }) => path);
}

/** What Go's strict decoder complains of, once each and in the order of the text: fields that are unknown, whose insides it does not look at,
 *  and fields that stand twice. */
export function problemsInOrder(text: string, unknown: readonly string[]): string[] {
  const strangers = new Set(unknown);
  const problems = new Set<string>();
  let skipped: string | undefined;
  for (const { path, isRepeated } of fieldsOf(text)) {
    if (skipped !== undefined && isInside(path, skipped)) continue;
    skipped = strangers.has(path) ? path : undefined;
    if (skipped !== undefined) problems.add(`unknown field ${JSON.stringify(path)}`);
    else if (isRepeated) problems.add(`duplicate field ${JSON.stringify(path)}`);
  }
  return [...problems];
}

function isInside(path: string, outer: string): boolean {
  return path.startsWith(outer) && (path[outer.length] === "." || path[outer.length] === "[");
}

interface TextField {
  readonly path: string;
  /** Its object has had a field of that name before. */
  readonly isRepeated: boolean;
}

/** Every field of every object, in the order of the text. */
function fieldsOf(text: string): TextField[] {
  const found: TextField[] = [];
  const stack: { readonly seen: Set<string> | undefined; readonly path: string; index: number }[] = [];
  let key: string | undefined;
  const here = (): string => {
    const top = stack.at(-1);
    if (top === undefined) return "";
    if (top.seen === undefined) return `${top.path}[${top.index}]`;
    return top.path === "" ? (key ?? "") : `${top.path}.${key ?? ""}`;
  };
  for (const { 0: token } of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\],]/gs)) {
    const top = stack.at(-1);
    if (token === "{") stack.push({ seen: new Set(), path: here(), index: 0 });
    else if (token === "[") stack.push({ seen: undefined, path: here(), index: 0 });
    else if (token === "}" || token === "]") stack.pop();
    else if (token === ",") {
      if (top !== undefined) top.index++;
    } else if (token.endsWith(":") && token.startsWith('"') && top?.seen !== undefined) {
      key = JSON.parse(token.slice(0, token.lastIndexOf('"') + 1)) as string;
      found.push({ path: here(), isRepeated: top.seen.has(key) });
      top.seen.add(key);
    }
  }
  return found;
}

/** How many fields a JSON text has in all its objects, those that stand twice counted twice. The text must be valid JSON. */
export function fieldsInText(text: string): number {
  let count = 0;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) {
    at = stringEnd(text, at);
    let next = at + 1;
    while (text.charCodeAt(next) <= 0x20) next++;
    if (text.charCodeAt(next) === 0x3a) count++;
  }
  return count;
}

/** Where the string that begins at `start` has its closing quote. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); ; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return at;
  }
}

/** How many fields a value has in all its objects. */
export function fieldsInValue(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + fieldsInValue(item), 0);
  let count = 0;
  for (const inner of Object.values(value)) count += typeof inner === "object" ? 1 + fieldsInValue(inner) : 1;
  return count;
}
