/** Paths of fields that stand twice in one object of a JSON text, such as `spec.replicas`. The text must be valid JSON. */
export function duplicateFields(text: string): string[] {
  const found: string[] = [];
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
      if (top.seen.has(key)) found.push(here());
      top.seen.add(key);
    }
  }
  return found;
}
