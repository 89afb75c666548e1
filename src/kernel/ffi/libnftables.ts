/** libnftables, declared once. It parses nft text and applies it as one transaction; what it prints is kept in buffers.
 *  Loaded when first opened, so that a machine without it can still run what needs no nftables.
 *  A failed assertion inside libnftables ends the process: give it only text from our own templates. */
import koffi from "koffi";
import { Fault } from "#fault/fault";
import { undisturbed } from "./signal-calls.ts";

type Pointer = object;

interface Library {
  readonly open: (flags: number) => Pointer | null;
  readonly free: (context: Pointer) => void;
  readonly run: (context: Pointer, text: string) => number;
  readonly keepOutput: (context: Pointer) => number;
  readonly keepErrors: (context: Pointer) => number;
  readonly output: (context: Pointer) => string | null;
  readonly errors: (context: Pointer) => string | null;
}

const LIBRARY = "libnftables.so.1";
let loaded: Library | undefined;

/** What a run printed. `ok` false means that nothing was changed. */
export interface NftOutcome {
  readonly ok: boolean;
  readonly output: string;
  readonly errors: string;
}

/** One libnftables context: its netlink socket belongs to the namespace this thread is in when it is opened. */
export class NftContext implements Disposable {
  readonly #library: Library;
  #context: Pointer | undefined;

  /** @throws {Fault} "LibraryAbsent" */
  constructor() {
    loaded ??= load();
    this.#library = loaded;
    const context = this.#library.open(0);
    if (context === null) throw new Fault("Unavailable", "Cannot open libnftables: it gave no context");
    this.#context = context;
    this.#library.keepOutput(context);
    this.#library.keepErrors(context);
  }

  run(text: string): NftOutcome {
    if (this.#context === undefined) throw new Error("broken invariant: the nftables context is closed");
    const context = this.#context;
    // It asks select() for answers, and takes EINTR for a refusal although the kernel has committed.
    const ok = undisturbed(() => this.#library.run(context, text) === 0);
    // Reading a buffer is what empties it, so both are read every time.
    const output = this.#library.output(this.#context) ?? "";
    const errors = this.#library.errors(this.#context) ?? "";
    return { ok, output, errors };
  }

  [Symbol.dispose](): void {
    if (this.#context === undefined) return;
    this.#library.free(this.#context);
    this.#context = undefined;
  }
}

function load(): Library {
  const library = openLibrary();
  return {
    open: library.func("void *nft_ctx_new(uint32_t flags)"),
    free: library.func("void nft_ctx_free(void *ctx)"),
    run: library.func("int nft_run_cmd_from_buffer(void *ctx, const char *text)"),
    keepOutput: library.func("int nft_ctx_buffer_output(void *ctx)"),
    keepErrors: library.func("int nft_ctx_buffer_error(void *ctx)"),
    output: library.func("const char *nft_ctx_get_output_buffer(void *ctx)"),
    errors: library.func("const char *nft_ctx_get_error_buffer(void *ctx)"),
  };
}

function openLibrary(): ReturnType<typeof koffi.load> {
  try {
    return koffi.load(LIBRARY);
  } catch (cause) {
    throw new Fault(
      "LibraryAbsent",
      `Cannot load ${LIBRARY}: install Debian's package libnftables1, or your system's nftables`,
      { cause },
    );
  }
}
