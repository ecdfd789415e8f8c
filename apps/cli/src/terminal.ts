import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { ReadStream, WriteStream } from "node:tty";
import { UsageError } from "./failure.ts";

export interface Terminal {
  /** Results. */
  out(text: string): void;
  /** Remarks and errors. */
  err(text: string): void;
  /** Whether a person can answer questions. */
  readonly interactive: boolean;
  /** All of standard input. */
  readInput(): Promise<string>;
  /** One line that is not shown while it is typed. */
  ask(question: string): Promise<string>;
}

export function createTerminal(
  stdin: ReadStream | NodeJS.ReadStream,
  stdout: WriteStream | NodeJS.WriteStream,
  stderr: WriteStream | NodeJS.WriteStream,
): Terminal {
  return {
    out: (written) => void stdout.write(written),
    err: (written) => void stderr.write(written),
    interactive: stdin.isTTY === true,
    readInput: () => text(stdin),
    ask: async (question) => {
      stderr.write(question);
      try {
        return await hiddenLine(stdin);
      } finally {
        stderr.write("\n");
      }
    },
  };
}

function hiddenLine(stdin: ReadStream | NodeJS.ReadStream): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: true });
  return new Promise<string>((resolve, reject) => {
    lines.once("line", resolve);
    lines.once("SIGINT", () => reject(new UsageError("Cancelled.")));
    lines.once("close", () => reject(new UsageError("Nothing was typed.")));
  }).finally(() => lines.close());
}
