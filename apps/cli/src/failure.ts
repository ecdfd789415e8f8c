/** What goes wrong, as one line that says what to change, and as an exit code: 1 refused or failed, 2 usage or undecided. */
import { type FieldProblem, OarsApiError, OarsClientError } from "@oars/sdk";
import { printable } from "./text.ts";

/** The command was used wrongly; nothing was sent. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The command did its part, and the answer is no. `problems` have places in `file`. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly code: string;
  readonly problems: readonly FieldProblem[];
  readonly file: string | undefined;

  constructor(code: string, message: string, problems: readonly FieldProblem[] = [], file?: string) {
    super(message);
    this.code = code;
    this.problems = problems;
    this.file = file;
  }
}

/** What the server said about the content of a file: its problems have lines there. */
export class AboutFileError extends Error {
  override readonly name = "AboutFileError";
  readonly file: string;

  constructor(file: string, cause: unknown) {
    super(`about ${file}`, { cause });
    this.file = file;
  }
}

/** The call, whose failure is about the file. */
export const aboutFile = <T>(file: string, call: Promise<T>): Promise<T> =>
  call.catch((error: unknown) => {
    throw new AboutFileError(file, error);
  });

export interface Failure {
  readonly exitCode: 1 | 2;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly problems: readonly FieldProblem[];
  readonly status?: number;
  readonly requestId?: string;
  readonly runId?: string | undefined;
  /** Where the lines of the problems are. */
  readonly file?: string | undefined;
}

const hints: Readonly<Record<string, string>> = {
  AUTH_REQUIRED: "Log in: oars login --url URL",
  AUTH_KEY_INVALID: "Log in with a key that is valid: oars login --url URL",
  AUTH_TOKEN_INVALID: "Log in: oars login --url URL",
  AUTH_TOKEN_EXPIRED: "Log in: oars login --url URL",
  CLIENT_UNREACHABLE: "Start the server there, or name another one with OARS_URL or oars login --url URL.",
  CLIENT_ANSWER_INVALID: "Check the address: oars login --url URL",
  RUN_PARAMS_INVALID: "Give them as --param NAME=TEXT, --param NAME:=JSON or --param-file NAME=FILE.",
  APPROVAL_ROLE: "See who may decide: oars approval show ID",
};

/** Null for what is a bug: it keeps its stack. */
export function toFailure(error: unknown): Failure | null {
  if (error instanceof UsageError) {
    return { exitCode: 2, code: "USAGE", message: error.message, problems: [] };
  }
  if (error instanceof AboutFileError) {
    const failure = toFailure(error.cause);
    return failure && { ...failure, file: error.file };
  }
  if (error instanceof RefusedError) {
    const { code, message, problems, file } = error;
    return { exitCode: 1, code, message, problems, file };
  }
  if (error instanceof OarsApiError) {
    const { code, status, requestId, runId, errors } = error;
    return {
      exitCode: 1,
      code,
      message: error.detail,
      ...hintOf(code),
      problems: errors,
      status,
      requestId,
      runId,
    };
  }
  if (error instanceof OarsClientError) {
    const exitCode = error.code === "CLIENT_WAIT_TIMEOUT" ? 2 : 1;
    return { exitCode, code: error.code, message: `${error.message}.`, ...hintOf(error.code), problems: [] };
  }
  return null;
}

const hintOf = (code: string): { hint?: string } => {
  const hint = hints[code];
  return hint === undefined ? {} : { hint };
};

/** For people, on standard error. */
export function renderFailure(failure: Failure): string {
  const message =
    failure.problems.length > 0 ? failure.message.replace(/; see `errors`\.$/, ":") : failure.message;
  const lines = [`oars: ${failure.code === "USAGE" ? "" : `${failure.code}: `}${message}`];
  for (const problem of failure.problems) lines.push(`  ${renderProblem(problem, failure.file)}`);
  if (failure.hint !== undefined) lines.push(`  ${failure.hint}`);
  if (failure.requestId) lines.push(`  request ${failure.requestId}`);
  return `${lines.map((line) => printable(line)).join("\n")}\n`;
}

/** `flow.yaml:12:5 steps.ship.use: there is no such step kind`, so that editors can jump there. */
export function renderProblem({ path, message, line, column }: FieldProblem, file?: string): string {
  const place = line === undefined ? undefined : column === undefined ? `${line}` : `${line}:${column}`;
  const at = place === undefined ? "" : file === undefined ? `line ${place} ` : `${file}:${place} `;
  return `${at}${path === "" ? "" : `${path}: `}${message}`;
}
