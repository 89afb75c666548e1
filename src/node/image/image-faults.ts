import { Fault } from "#fault/fault";

export function notAllowed(image: string): Fault {
  return new Fault(
    "ErrImageNeverPull",
    `Container image "${image}" is not present with pull policy of Never`,
  );
}

/** It is too soon to ask the registry again after this failure. */
export function waitingForRegistry(image: string, { code, message }: Fault): Fault {
  return new Fault("ImagePullBackOff", `Back-off pulling image "${image}": ${code}: ${message}`);
}
