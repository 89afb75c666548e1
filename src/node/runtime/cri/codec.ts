import { decodeMessage } from "#wire/protobuf/decode-message";
import { encodeMessage, type Partially } from "#wire/protobuf/encode-message";
import { readMessageTables } from "#wire/protobuf/message-tables";
import tables from "./generated/tables.json" with { type: "json" };
import type { Calls } from "./generated/types.ts";

export type CallName = keyof Calls;
export type Request<Name extends CallName> = Partially<Calls[Name]["request"]>;
export type Response<Name extends CallName> = Calls[Name]["response"];

const layouts = readMessageTables(tables);

/** Where a call lives: `/runtime.v1.RuntimeService/Version`. */
export function callPath(name: CallName): string {
  return `/runtime.v1.${tables.methods[name].service}/${name}`;
}

export function encodeRequest<Name extends CallName>(name: Name, request: Request<Name>): Buffer {
  return encodeMessage(layouts, tables.methods[name].request, request);
}

/** @throws {ProtobufFault} */
export function decodeResponse<Name extends CallName>(name: Name, bytes: Uint8Array): Response<Name> {
  // The one cast: the types are generated from the same file as the table that the decoder fills in completely.
  return decodeMessage(layouts, tables.methods[name].response, bytes) as unknown as Response<Name>;
}
