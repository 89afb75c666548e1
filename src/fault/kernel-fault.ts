import { errnoName, errnoText } from "./errno.ts";
import { Fault } from "./fault.ts";

/** A refused system call: which one, on what, and the kernel's number. */
export class SyscallFault extends Fault<string> {
  readonly errno: number;

  constructor(call: string, subject: string, errno: number) {
    super(errnoName(errno), `Cannot ${call} ${subject}: ${errnoText(errno)}`, {
      detail: { call, subject, errno },
    });
    this.name = "SyscallFault";
    this.errno = errno;
  }
}
