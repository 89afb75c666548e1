import type { WebhookClientConfig } from "#kube/generated/types";
import { invalid, required } from "../field/error.ts";
import type { FieldError } from "../kind.ts";

const FORM = "desired format: https://host[/path]";

/** Exactly one way to a webhook, and that a possible one. */
export function clientConfigErrors(
  path: string,
  config: WebhookClientConfig | undefined,
): readonly FieldError[] {
  const { url, service } = config ?? {};
  if ((url === undefined) === (service === undefined))
    return [required(path, "exactly one of url or service is required")];
  return url === undefined ? serviceErrors(`${path}.service`, service) : urlErrors(`${path}.url`, url);
}

function urlErrors(path: string, text: string): readonly FieldError[] {
  if (!URL.canParse(text))
    return [required(path, `url must be a valid URL: parse ${JSON.stringify(text)}; ${FORM}`)];
  const url = new URL(text);
  const errors: FieldError[] = [];
  const wrong = (value: string, why: string) => errors.push(invalid(path, value, why));
  if (url.protocol !== "https:")
    wrong(url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${FORM}`);
  if (url.host === "") wrong(url.host, `host must be specified; ${FORM}`);
  if (url.username !== "") wrong(url.username, "user information is not permitted in the URL");
  if (url.hash !== "") wrong(url.hash.slice(1), "fragments are not permitted in the URL");
  if (url.search !== "") wrong(url.search.slice(1), "query parameters are not permitted in the URL");
  return errors;
}

function serviceErrors(path: string, service: WebhookClientConfig["service"]): readonly FieldError[] {
  const { name = "", namespace = "", port = 443, path: at } = service ?? {};
  const errors: FieldError[] = [];
  if (name === "") errors.push(required(`${path}.name`, "service name is required"));
  if (namespace === "") errors.push(required(`${path}.namespace`, "service namespace is required"));
  if (port < 1 || port > 65535)
    errors.push(invalid(`${path}.port`, port, "port is not valid: must be between 1 and 65535, inclusive"));
  if (at !== undefined && at !== "") errors.push(...pathErrors(`${path}.path`, at));
  return errors;
}

function pathErrors(path: string, at: string): readonly FieldError[] {
  if (at === "/") return [];
  if (!at.startsWith("/")) return [invalid(path, at, "must start with a '/'")];
  const steps = at.slice(1).replace(/\/$/, "").split("/");
  return steps.flatMap((step, i) =>
    step === "" ? [invalid(path, at, `segment[${i}] may not be empty`)] : [],
  );
}
