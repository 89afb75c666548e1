import { Fault, isFault } from "#fault/fault";
import { type Fields, listOf, REVIEW_FLAGS, serveReviews } from "./review-server.ts";
import type { Subcommand } from "./subcommand.ts";

export const crdConversionWebhook: Subcommand = {
  summary: "Converts the example custom resource between its versions v1 and v2",
  flags: REVIEW_FLAGS,
  run(input) {
    return serveReviews(input, "ConversionReview", { "/crdconvert": convertAll });
  },
};

/** Answers a conversion request: every object in the version that is asked for, or a failure for them all. */
export function convertAll(request: Fields): Fields {
  const version = String(request["desiredAPIVersion"]);
  try {
    const convertedObjects = listOf(request["objects"]).map((object) => convert(object, version));
    return { convertedObjects, result: { status: "Success" } };
  } catch (error) {
    if (isFault(error)) return { result: { status: "Failure", message: error.message } };
    throw error;
  }
}

/** v1 says `hostPort: "host:port"`, v2 says `host` and `port`. */
function convert(object: Fields, version: string): Fields {
  const { hostPort, host, port, ...rest } = object;
  const from = object["apiVersion"];
  if (from === version)
    throw new Fault("Usage", `conversion from a version to itself should not call the webhook: ${version}`);
  const steps = `${from} ${version}`;
  if (steps === "stable.example.com/v1 stable.example.com/v2")
    return { ...rest, ...splitHostPort(hostPort), apiVersion: version };
  if (steps === "stable.example.com/v2 stable.example.com/v1") {
    const joined =
      host === undefined && port === undefined ? {} : { hostPort: `${host ?? ""}:${port ?? ""}` };
    return { ...rest, ...joined, apiVersion: version };
  }
  throw new Fault("Usage", `unexpected conversion version "${version}"`);
}

function splitHostPort(hostPort: unknown): Fields {
  if (hostPort === undefined) return {};
  const [host, port, ...more] = String(hostPort).split(":");
  if (port === undefined || more.length > 0)
    throw new Fault("Usage", `invalid hostPort value \`${hostPort}\``);
  return { host, port };
}
