/** Answers captured from a real kernel, for the tests of this room. */
import { readFileSync } from "node:fs";
import { decodeMessages, type NlMessage } from "../netlink.ts";

const SEPARATOR = "|";
const file = new URL("./rtnetlink.json", import.meta.url);

export function capturedNames(): readonly string[] {
  return Object.keys(read());
}

/** The messages of one capture, in order. */
export function capturedMessages(name: string): readonly NlMessage[] {
  return capturedDatagrams(name).flatMap((bytes) => decodeMessages(bytes));
}

export function capturedDatagrams(name: string): readonly Uint8Array[] {
  const text = read()[name];
  if (text === undefined) throw new Error(`no capture is called ${name}`);
  return text.split(SEPARATOR).map(unhex);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

export function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "hex"));
}

function read(): Readonly<Record<string, string>> {
  const capture = JSON.parse(readFileSync(file, "utf8")) as { messages: Record<string, string> };
  return capture.messages;
}
