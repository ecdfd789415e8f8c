import { z } from "zod";
import {
  type CallContext,
  hostField,
  lineField,
  portField,
  secretReference,
  timeoutField,
} from "#act/connector-kit";
import type { Json } from "#platform/kernel";

const className = z.enum(["read", "write", "ddl"]);

export const sqlConfig = z
  .strictObject({
    engine: z.enum(["postgresql", "mysql"]),
    host: hostField,
    port: portField.optional(),
    database: lineField(63),
    user: lineField(63),
    password: secretReference,
    /** `verify`: TLS with a checked certificate. `off`: only for a network that you trust. */
    tls: z.enum(["verify", "off"]).default("verify"),
    /** Certificate authority in PEM, in place of the system's. */
    ca: z.string().max(100_000).optional(),
    /** Classes of statements that may run. */
    allow: z.array(className).min(1).default(["read"]),
    /** PostgreSQL: the role that statements run under, such as one that can only read. */
    role: lineField(63).optional(),
    /** Text literals may stand in statements. Parameters are safer: they cannot become SQL. */
    literals: z.boolean().default(false),
    /** Rows beyond are left out, and the output says so. */
    maxRows: z.int().min(1).max(10_000).default(1_000),
    maxBytes: z.int().min(1_000).max(20_000_000).default(5_000_000),
    timeout: timeoutField.default(30_000),
  })
  .refine((config) => config.role === undefined || config.engine === "postgresql", {
    path: ["role"],
    error: "is known to PostgreSQL alone; give a MySQL user the rights that it needs",
  })
  .transform((config) => ({
    ...config,
    port: config.port ?? (config.engine === "postgresql" ? 5_432 : 3_306),
  }));

export type SqlSettings = z.output<typeof sqlConfig>;

export type Parameter = string | number | boolean | null;

export interface SqlTask {
  readonly context: CallContext<SqlSettings>;
  readonly password: string;
  readonly statement: string;
  readonly parameters: readonly Parameter[];
  /** Runs in a read-only transaction. */
  readonly read: boolean;
  readonly timeoutMs: number;
}

/** Where a task was when it broke off. */
export interface SqlProgress {
  /** A statement that may take effect without a further word from us has left. */
  committing: boolean;
}

/** A type and not an interface: it is JSON. */
export type SqlRows = {
  readonly columns: string[];
  readonly rows: { [column: string]: Json }[];
  /** Rows changed, or rows read. */
  readonly rowCount: number;
  /** Rows were left out. */
  readonly truncated: boolean;
};

/** A database's refusal in one form. `state` is the SQLSTATE. */
export class SqlRefusal extends Error {
  readonly state: string;
  readonly position: number | undefined;
  constructor(state: string, message: string, more: { position?: number | undefined; cause?: unknown } = {}) {
    super(message, { cause: more.cause });
    this.state = state;
    this.position = more.position;
  }
}

/** Rows up to the caps of a connection. */
export function collector(settings: SqlSettings) {
  const rows: { [column: string]: Json }[] = [];
  let bytes = 0;
  let truncated = false;
  return {
    /** False when the row was left out. */
    add(row: { [column: string]: Json }): boolean {
      bytes += JSON.stringify(row).length;
      truncated ||= rows.length >= settings.maxRows || bytes > settings.maxBytes;
      if (!truncated) rows.push(row);
      return !truncated;
    },
    rows,
    truncated: () => truncated,
  };
}
