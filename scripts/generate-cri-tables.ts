/** Derives src/node/runtime/cri/generated/{tables.json,types.ts} from the proto file of the Container Runtime Interface:
 *
 *    node scripts/generate-cri-tables.ts API.PROTO
 *
 *  Message to field number to "name type", with "*" before a list's type and "%" before that of a map's values. Only what the calls below
 *  need, without what concerns Windows. Names are lowerCamelCase, as in protobuf's JSON. */
import { readFileSync, writeFileSync } from "node:fs";

const CALLS =
  `Version Status RuntimeConfig RunPodSandbox StopPodSandbox RemovePodSandbox PodSandboxStatus ListPodSandbox CreateContainer
  StartContainer StopContainer RemoveContainer ListContainers ContainerStatus UpdateContainerResources ReopenContainerLog ExecSync Exec
  Attach PortForward ListContainerStats GetContainerEvents ListImages ImageStatus PullImage RemoveImage ImageFsInfo`.split(
    /\s+/,
  );
const SCALARS: Readonly<Record<string, string>> = {
  string: "string",
  bool: "boolean",
  bytes: "Uint8Array",
  int32: "number",
  uint32: "number",
  int64: "bigint",
  uint64: "bigint",
  double: "number",
};

interface Field {
  readonly number: string;
  readonly name: string;
  readonly repeats: "" | "*" | "%";
  readonly type: string;
}

const [path] = process.argv.slice(2);
if (path === undefined) throw new Error("usage: generate-cri-tables.ts API.PROTO");
const source = readFileSync(path, "utf8")
  .replace(/\/\*[\s\S]*?\*\//g, "")
  .replace(/\/\/.*$/gm, "");
const enums = new Map<string, [string, string][]>();
const messages = new Map<string, Field[]>();
const methods = new Map<string, { service: string; request: string; response: string; streams: boolean }>();

for (const [, kind, name = "", body = ""] of blocks(source)) {
  if (kind === "enum") readEnum(name, body);
  if (kind === "message") readMessage(name, body);
  if (kind === "service") readService(name, body);
}
const wanted = closure();
write("tables.json", tables());
write("types.ts", types());

/** Top-level blocks with all that is between their braces. */
function blocks(text: string): [string, string, string, string][] {
  const found: [string, string, string, string][] = [];
  const head = /\b(enum|message|service)\s+(\w+)\s*\{/g;
  for (let match = head.exec(text); match !== null; match = head.exec(text)) {
    const from = head.lastIndex;
    let depth = 1;
    while (depth > 0) depth += { "{": 1, "}": -1 }[text[head.lastIndex++] ?? "}"] ?? 0;
    found.push([match[0], match[1] ?? "", match[2] ?? "", text.slice(from, head.lastIndex - 1)]);
  }
  return found;
}

function readEnum(name: string, body: string): void {
  enums.set(
    name,
    [...body.matchAll(/(\w+)\s*=\s*(\d+)\s*;/g)].map(([, value = "", number = ""]) => [number, value]),
  );
}

function readMessage(name: string, body: string): void {
  let rest = body;
  for (const [head, kind, inner = "", content = ""] of blocks(body)) {
    if (kind === "enum") readEnum(inner, content);
    rest = rest.replace(`${head}${content}}`, "");
  }
  const field =
    /(?:(repeated)\s+)?(?:map\s*<\s*string\s*,\s*(\w+)\s*>|(\w+))\s+(\w+)\s*=\s*(\d+)\s*(?:\[[^\]]*\])?\s*;/g;
  const fields = [...rest.matchAll(field)].map(
    ([, repeated, mapped, plain = "", label = "", number = ""]): Field => ({
      number,
      name: camel(label),
      repeats: mapped ? "%" : repeated ? "*" : "",
      type: mapped ?? plain,
    }),
  );
  messages.set(
    name,
    fields.filter(({ type }) => !type.startsWith("Windows")),
  );
}

function readService(service: string, body: string): void {
  const rpc = /rpc\s+(\w+)\s*\(\s*(\w+)\s*\)\s*returns\s*\(\s*(stream\s+)?(\w+)\s*\)/g;
  for (const [, name = "", request = "", stream, response = ""] of body.matchAll(rpc))
    methods.set(name, { service, request, response, streams: stream !== undefined });
}

function camel(name: string): string {
  const words = name.split("_");
  if (words[0] === words[0]?.toUpperCase() && words.length > 1) return words.join("");
  return words.map((word, i) => (i === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1))).join("");
}

function method(name: string): { service: string; request: string; response: string; streams: boolean } {
  const found = methods.get(name);
  if (found === undefined) throw new Error(`no call ${name}`);
  return found;
}

function closure(): readonly string[] {
  const seen = new Set<string>();
  const queue = CALLS.flatMap((name) => [method(name).request, method(name).response]);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const { type } of messages.get(name) ?? []) {
      if (SCALARS[type] === undefined && !messages.has(type) && !enums.has(type))
        throw new Error(`no type ${type}`);
      queue.push(type);
    }
  }
  return [...seen].sort();
}

function tables(): string {
  const sections = {
    methods: Object.fromEntries(CALLS.map((name) => [name, method(name)])),
    enums: Object.fromEntries(
      wanted.flatMap((name) => {
        const values = enums.get(name);
        return values ? [[name, Object.fromEntries(values)]] : [];
      }),
    ),
    messages: Object.fromEntries(
      wanted.flatMap((name) => {
        const fields = messages.get(name);
        if (!fields) return [];
        return [[name, Object.fromEntries(fields.map((f) => [f.number, `${f.name} ${f.repeats}${f.type}`]))]];
      }),
    ),
  };
  const text = Object.entries(sections).map(([section, entries]) => {
    const lines = Object.entries(entries).map(([key, value]) => `"${key}":${JSON.stringify(value)}`);
    return `"${section}":{\n${lines.join(",\n")}\n}`;
  });
  return `{\n${text.join(",\n")}\n}\n`;
}

function types(): string {
  const parts = [
    "/** Made by scripts/generate-cri-tables.ts. A value of an enum that the table does not know is UNRECOGNIZED. */",
  ];
  for (const name of wanted) {
    const values = enums.get(name);
    const fields = messages.get(name);
    if (values) {
      const texts = [...values.map(([, value]) => `"${value}"`), '"UNRECOGNIZED"'];
      parts.push(`export type ${name} = ${texts.join(" | ")};`);
    } else if (fields?.length === 0) parts.push(`export type ${name} = Readonly<Record<string, never>>;`);
    else if (fields)
      parts.push(
        `export interface ${name} {\n${fields.map((f) => `  readonly ${f.name}: ${tsType(f)};\n`).join("")}}`,
      );
  }
  const calls = CALLS.map((name) => {
    const { request, response } = method(name);
    return `  readonly ${name}: { readonly request: ${request}; readonly response: ${response} };\n`;
  });
  parts.push(`export interface Calls {\n${calls.join("")}}`);
  return `${parts.join("\n\n")}\n`;
}

/** Of decoded messages: only a message can be absent. */
function tsType({ repeats, type }: Field): string {
  const plain = SCALARS[type] ?? type;
  if (repeats === "*") return `readonly ${plain}[]`;
  if (repeats === "%") return `Readonly<Record<string, ${plain}>>`;
  return messages.has(type) ? `${plain} | undefined` : plain;
}

function write(name: string, text: string): void {
  writeFileSync(new URL(`../src/node/runtime/cri/generated/${name}`, import.meta.url), text);
}
