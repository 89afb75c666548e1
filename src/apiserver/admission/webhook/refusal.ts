import { type JsonObject, numberAt, textAt } from "../../json.ts";
import { StatusFault } from "../../status.ts";

/** A refusal whose Status is the webhook's own. */
class WebhookDenial extends StatusFault {
  readonly #status: JsonObject;

  constructor(status: JsonObject, message: string, httpCode: number) {
    super("Forbidden", message, { httpCode });
    this.#status = status;
  }

  override toStatus(): object {
    return { ...this.#status, message: this.message, code: this.httpCode };
  }
}

/** The largest code that an answer can carry. */
const MOST_CODE = 999;

/** How a webhook's "no" is answered: with its Status, and never with a code that says success. */
export function denial(name: string, given: JsonObject | undefined): StatusFault {
  const deniedBy = `admission webhook ${JSON.stringify(name)} denied the request`;
  const said = textAt(given, "message") || textAt(given, "reason");
  const message = said ? `${deniedBy}: ${said}` : `${deniedBy} without explanation`;
  const code = numberAt(given, "code") ?? 0;
  const status = textAt(given, "status");
  const isFailure = status !== undefined && status !== "" && status !== "Success";
  return new WebhookDenial(
    { kind: "Status", apiVersion: "v1", metadata: {}, ...given, status: isFailure ? status : "Failure" },
    message,
    code < 400 || code > MOST_CODE ? 400 : code,
  );
}

/** How a webhook that could not be asked is answered. */
export function callFailure(name: string, reason: string): StatusFault {
  const message = `failed calling webhook ${JSON.stringify(name)}: ${reason}`;
  return new StatusFault("InternalError", `Internal error occurred: ${message}`, {
    details: { causes: [{ message }] },
  });
}

/** How a patch that does not apply is answered: whatever the webhook's failure policy, since the webhook has answered. */
export function patchFailure(message: string): StatusFault {
  return new StatusFault("InternalError", `Internal error occurred: ${message}`, {
    details: { causes: [{ message }] },
  });
}
