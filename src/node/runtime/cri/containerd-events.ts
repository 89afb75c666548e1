import { decodeMessage, type FieldValue, type MessageValue } from "#wire/protobuf/decode-message";
import { encodeMessage } from "#wire/protobuf/encode-message";
import { readMessageTables } from "#wire/protobuf/message-tables";

/** containerd's own stream of events, which 1.6 has too, where the CRI's is still missing.
 *  @see containerd api/services/events/v1/events.proto, api/events/task.proto */
export const SUBSCRIBE_PATH = "/containerd.services.events.v1.Events/Subscribe";
/** What the CRI runs is in this namespace of containerd's; the header is asked for although it counts for nothing here. */
export const NAMESPACE_HEADER = ["containerd-namespace", "k8s.io"] as const;

/** Whatever fits one of them is told. */
const TASK_ENDS = ["exit", "oom", "delete"].map((what) => `namespace==k8s.io,topic=="/tasks/${what}"`);
const layouts = readMessageTables({
  messages: {
    SubscribeRequest: { "1": "filters *string" },
    Envelope: { "4": "event Any" },
    Any: { "2": "value bytes" },
    // Every event of a task begins with this.
    TaskEvent: { "1": "containerId string" },
  },
  enums: {},
});

export function encodeSubscription(): Buffer {
  return encodeMessage(layouts, "SubscribeRequest", { filters: TASK_ENDS });
}

/** The container or sandbox that an event is about; empty when it is about none. @throws {ProtobufFault} */
export function decodeEvent(bytes: Uint8Array): string {
  const { event } = decodeMessage(layouts, "Envelope", bytes);
  const value = isMessage(event) ? event["value"] : undefined;
  if (!(value instanceof Uint8Array)) return "";
  const { containerId } = decodeMessage(layouts, "TaskEvent", value);
  return typeof containerId === "string" ? containerId : "";
}

function isMessage(value: FieldValue): value is MessageValue {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array);
}
