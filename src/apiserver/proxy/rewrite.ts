/** Where a proxied answer came from, as seen from outside. */
export interface Place {
  /** Of the path: everything up to what the backend was asked for, such as `/api/v1/namespaces/a/services/b/proxy`. */
  readonly prefix: string;
  /** The Host that the client asked. */
  readonly host: string;
  /** `host:port` of the backend. */
  readonly backend: string;
}

/** A link of a backend's, made to lead back through the proxy; links to elsewhere and relative ones stay as they are.
 *  Like `/login` under `/api/v1/namespaces/a/services/b/proxy`. */
export function rewriteLink(link: string, { prefix, host, backend }: Place): string {
  const absolute = /^([a-z][a-z0-9+.-]*:)?\/\/([^/?#]*)/i.exec(link);
  const [start = "", , linkHost = ""] = absolute ?? [];
  const tail = link.slice(start.length);
  if (!tail.startsWith("/") || (linkHost !== "" && linkHost !== backend && linkHost !== host)) return link;
  const kept = linkHost === host ? start : "";
  return tail.startsWith(prefix) ? kept + tail : kept + prefix + tail;
}

/** Which attributes of which elements are links. */
const LINKS: Readonly<Record<string, readonly string[]>> = {
  a: ["href"],
  applet: ["codebase"],
  area: ["href"],
  audio: ["src"],
  base: ["href"],
  blockquote: ["cite"],
  body: ["background"],
  button: ["formaction"],
  command: ["icon"],
  del: ["cite"],
  embed: ["src"],
  form: ["action"],
  frame: ["longdesc", "src"],
  head: ["profile"],
  html: ["manifest"],
  iframe: ["longdesc", "src"],
  img: ["longdesc", "src", "usemap"],
  input: ["src", "usemap", "formaction"],
  ins: ["cite"],
  link: ["href"],
  object: ["classid", "codebase", "data", "usemap"],
  q: ["cite"],
  script: ["src"],
  source: ["src"],
  video: ["poster", "src"],
};

/** An HTML page with its links led back through the proxy. One pass, whatever the page. */
export function rewriteHtml(page: string, place: Place): string {
  const out: string[] = [];
  let from = 0;
  for (let open = page.indexOf("<"); open >= 0; open = page.indexOf("<", from)) {
    const end = endOfTag(page, open + 1);
    if (end < 0) break;
    out.push(page.slice(from, open), rewriteTag(page.slice(open, end), place));
    from = end;
  }
  out.push(page.slice(from));
  return out.join("");
}

/** Behind the `>` that is not inside quotes; -1 when the page ends before. */
function endOfTag(page: string, start: number): number {
  let quote = "";
  for (let i = start; i < page.length; i++) {
    const character = page[i] ?? "";
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === ">") return i + 1;
  }
  return -1;
}

function rewriteTag(tag: string, place: Place): string {
  const name = /^<([a-z]+)[\s/]/i.exec(tag)?.[1]?.toLowerCase() ?? "";
  const attributes = Object.hasOwn(LINKS, name) ? LINKS[name] : undefined;
  if (attributes === undefined) return tag;
  return tag.replace(
    /(\s)([a-z]+)(\s*=\s*)(?:"([^"]*)"|'([^']*)')/gi,
    (whole: string, space: string, attribute: string, equals: string, double?: string, single?: string) => {
      if (!attributes.includes(attribute.toLowerCase())) return whole;
      const quote = double === undefined ? "'" : '"';
      return `${space}${attribute}${equals}${quote}${rewriteLink(double ?? single ?? "", place)}${quote}`;
    },
  );
}
