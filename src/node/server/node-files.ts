import { constants, createReadStream, readlinkSync, realpathSync } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { sendText } from "./reply.ts";

const NOT_FOUND = "404 page not found\n";
/** Of a pipe without a writer, opening must not wait. */
const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "'": "&#39;",
};

/** Shows a file of the node's log folder, or what a folder in it holds. Only ordinary files that really lie below that folder:
 *  a pod that may write there could otherwise show any file of the machine by a link. */
export async function sendFile(
  response: ServerResponse,
  path: readonly string[],
  folder: string | undefined,
): Promise<void> {
  const parts = path.filter((part) => part !== "");
  if (folder === undefined || parts.some((part) => part === ".." || /[/\0]/.test(part)))
    return sendText(response, 404, NOT_FOUND);
  const file = await open(join(folder, ...parts), READ).catch(() => undefined);
  if (!file) return sendText(response, 404, NOT_FOUND);
  try {
    const stat = await file.stat();
    const real = placeOf(file);
    if (!isBelow(real, folder)) return sendText(response, 404, NOT_FOUND);
    if (stat.isDirectory()) return sendText(response, 200, await listing(real), "text/html; charset=utf-8");
    if (!stat.isFile()) return sendText(response, 404, NOT_FOUND);
    await sendBytes(response, { file, size: stat.size });
  } finally {
    await file.close();
  }
}

/** Where the opened file really is, whatever links led there. */
function placeOf(file: FileHandle): string {
  return readlinkSync(`/proc/self/fd/${file.fd}`);
}

function isBelow(place: string, folder: string): boolean {
  const root = realpathSync(folder);
  return place === root || place.startsWith(`${root}/`);
}

async function listing(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.map((entry) => `${entry.name}${entry.isDirectory() ? "/" : ""}`).sort();
  const rows = names.map((name) => `<a href="${encodeURI(name)}">${escapeHtml(name)}</a>\n`);
  return `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${rows.join("")}</pre>\n`;
}

/** Up to the size it has now, so that a file that grows has an end. */
async function sendBytes(
  response: ServerResponse,
  { file, size }: { file: FileHandle; size: number },
): Promise<void> {
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8", "Content-Length": size });
  if (size === 0) return void response.end();
  const source = createReadStream("", { fd: file, autoClose: false, start: 0, end: size - 1 });
  await pipeline(source, response).catch(() => response.destroy()); // The reader left.
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}
