import { elfExecutable } from "./elf.ts";
import { type Arch, DATA_ADDRESS, ENTRY_BYTES, MACHINES, SCRATCH_OFFSET, TABLE_OFFSET } from "./machine.ts";
import { type Syscall, syscallNumber } from "./syscall-numbers.ts";

/** Some bytes of the program, known by address only once it is built. */
export interface Place {
  readonly piece: number;
  readonly offset: number;
}

/** What a call returned, as an argument of one later call. */
export interface Result {
  readonly result: number;
}

/** A point in the program to go on at; stands for nothing until `mark` has put it somewhere. */
export interface Label {
  readonly label: number;
}

export type Argument = number | bigint | Place | Result;

export interface CallOptions {
  /** Where the result is kept: at a place, or as the argument that is that `Result`. */
  readonly into?: Place | Result;
  /** Where to go on after an error: `failure` unless said otherwise. */
  readonly onError?: Label | "next";
  /** Where to go on after zero, such as in the child of a clone. */
  readonly onZero?: Label;
}

interface Entry {
  readonly call: Syscall;
  readonly args: readonly Argument[];
  readonly options: CallOptions;
}

const NUL = Buffer.alloc(1);

/** A program that is nothing but system calls, one after another, built up call by call and then made into an executable. */
export class SyscallProgram {
  readonly #entries: Entry[] = [];
  readonly #pieces: (Uint8Array | readonly Argument[])[] = [];
  readonly #labels: (number | undefined)[] = [];
  #results = 0;
  /** Where calls go on that fail and say nothing else; to be marked. */
  readonly failure: Label = this.label();

  /** The failed entry's address and its result: what `failedStep` reads. */
  readonly failureRecord: Place = { piece: -1, offset: 0 };

  call(call: Syscall, args: readonly Argument[], options: CallOptions = {}): void {
    this.#entries.push({ call, args, options });
  }

  bytes(content: Uint8Array): Place {
    return this.#add(content);
  }

  /** Ends with a zero byte. */
  text(content: string): Place {
    return this.bytes(Buffer.concat([Buffer.from(content), NUL]));
  }

  /** Numbers or addresses of 8 bytes each. */
  words(values: readonly Argument[]): Place {
    return this.#add(values);
  }

  /** Addresses of texts, ended by zero, as `argv` and `envp` are. */
  texts(contents: readonly string[]): Place {
    return this.words([...contents.map((content) => this.text(content)), 0]);
  }

  label(): Label {
    return { label: this.#labels.push(undefined) - 1 };
  }

  /** The next call is where `label` leads to. */
  mark(label: Label): void {
    this.#labels[label.label] = this.#entries.length;
  }

  result(): Result {
    return { result: this.#results++ };
  }

  /** An ELF executable of this program. */
  build(arch: Arch): Buffer {
    const addresses = this.#addresses();
    const end = addresses.at(-1) ?? 0;
    const data = Buffer.alloc(end - DATA_ADDRESS);
    const consumers = this.#consumers();
    const word = (argument: Argument | undefined): bigint => {
      if (argument === undefined) return 0n;
      if (typeof argument === "object")
        return "piece" in argument ? BigInt(addressOf(argument, addresses)) : 0n;
      return BigInt.asUintN(64, BigInt(argument));
    };
    for (const [i, { call, args, options }] of this.#entries.entries()) {
      const at = TABLE_OFFSET + i * ENTRY_BYTES;
      const { into, onError = this.failure, onZero } = options;
      const target =
        into === undefined
          ? DATA_ADDRESS + SCRATCH_OFFSET
          : "piece" in into
            ? addressOf(into, addresses)
            : must(consumers.get(into.result));
      const values = [
        BigInt(syscallNumber(call, arch)),
        ...Array.from({ length: 6 }, (_, j) => word(args[j])),
        BigInt(target),
        BigInt(entryAddress(onError === "next" ? i + 1 : must(this.#labels[onError.label]))),
        BigInt(entryAddress(onZero ? must(this.#labels[onZero.label]) : i + 1)),
      ];
      for (const [j, value] of values.entries()) data.writeBigUInt64LE(value, at + 8 * j);
    }
    for (const [i, piece] of this.#pieces.entries()) {
      const at = must(addresses[i]) - DATA_ADDRESS;
      if (piece instanceof Uint8Array) data.set(piece, at);
      else for (const [j, value] of piece.entries()) data.writeBigUInt64LE(word(value), at + 8 * j);
    }
    return elfExecutable(MACHINES[arch], data);
  }

  /** Which call failed and the kernel's number, from what a failed program wrote. */
  failedStep(record: Buffer): { readonly call: Syscall; readonly errno: number } | undefined {
    if (record.length < 16) return undefined;
    const index = (Number(record.readBigUInt64LE(0)) - entryAddress(0)) / ENTRY_BYTES;
    const entry = this.#entries[index];
    return entry && { call: entry.call, errno: Number(-record.readBigInt64LE(8)) };
  }

  #add(piece: Uint8Array | readonly Argument[]): Place {
    return { piece: this.#pieces.push(piece) - 1, offset: 0 };
  }

  /** Of each piece, and of the end. */
  #addresses(): readonly number[] {
    let at = entryAddress(this.#entries.length);
    const starts = this.#pieces.map((piece) => {
      const start = at;
      at += (piece instanceof Uint8Array ? piece.length : piece.length * 8) + 7;
      at -= at % 8;
      return start;
    });
    return [...starts, at];
  }

  /** The address of the argument that each result becomes. */
  #consumers(): ReadonlyMap<number, number> {
    const found = new Map<number, number>();
    for (const [i, { args }] of this.#entries.entries())
      for (const [j, argument] of args.entries())
        if (typeof argument === "object" && "result" in argument)
          found.set(argument.result, entryAddress(i) + 8 + 8 * j);
    return found;
  }
}

function entryAddress(index: number): number {
  return DATA_ADDRESS + TABLE_OFFSET + index * ENTRY_BYTES;
}

function addressOf({ piece, offset }: Place, addresses: readonly number[]): number {
  return piece < 0 ? DATA_ADDRESS : must(addresses[piece]) + offset;
}

function must(value: number | undefined): number {
  if (value === undefined) throw new Error("broken invariant: a program names what it does not have");
  return value;
}
