import { existsSync, writeFileSync } from "node:fs";
import { IMAGES_FOLDER } from "../preamble.ts";

/** A certificate for `localhost` whose key nobody has: there to be fetched. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBlDCCATugAwIBAgIUaxbdJKzP6yS5mQnKXYe5uNIZBMEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjEyMzYxMloYDzIxMjYxMDI5
MTIzNjEyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASGm5iqA8LUxChfQbUhpQAvBk5c019WTl3Xvkx5pD4W8cbE3VWJeGfU
KEHzZqknbmOTtPFfAlAgTqrL5nwCD38wo2kwZzAdBgNVHQ4EFgQUaLzMnEeEVNQ+
XMJxUYbd0qGveCIwHwYDVR0jBBgwFoAUaLzMnEeEVNQ+XMJxUYbd0qGveCIwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
RwAwRAIgbQqsuSPMZM1ru/74t7Y4lKve3+kf4HZxCYBQtwO0/T0CIGWLQwpQ6Qyt
cW/bAYtrMJKe4gaic/PRxjGRj8FhHIOc
-----END CERTIFICATE-----
`;

/** Leaves `/localhost.crt`, as the image has it, in the root of a container; readiness is asked for there. Nothing happens outside of one, or
 *  where the root cannot be written. */
export function leaveRootFiles(): void {
  if (!existsSync(IMAGES_FOLDER)) return;
  try {
    writeFileSync("/localhost.crt", CERTIFICATE, { flag: "wx" });
  } catch {
    // There already, or a root that is read-only: then nothing is served there.
  }
}
