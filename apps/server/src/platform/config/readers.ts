/**
 * How the text of a variable becomes a value. Each reader is a zod schema from the trimmed text and carries
 * the words with which the reference names its type. Messages say what to set, in the form "set …".
 */
import { type NoteKey, parseVkey, parseWitnessVkey, sha256, type WitnessKey } from "@oars/receipts";
import ipaddr from "ipaddr.js";
import { z } from "zod";
import { parseId } from "#platform/kernel";
import { decodeKey, Secret } from "./secret.ts";

export interface Reader<T> {
  readonly type: string;
  readonly schema: z.ZodType<T, string>;
}

const reader = <T>(type: string, read: (text: string) => T | undefined): Reader<T> => ({
  type,
  schema: z.string().transform((text, context) => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: `set ${type}` });
    return z.NEVER;
  }),
});

const units: Readonly<Record<string, number>> = { "": 1, KIB: 1024, MIB: 1024 ** 2 };
const words = new Map([
  ...["true", "1", "yes", "on"].map((word) => [word, true] as const),
  ...["false", "0", "no", "off"].map((word) => [word, false] as const),
]);

export const text = (type: string, shape: RegExp = /^[^\0]+$/): Reader<string> =>
  reader(type, (value) => (shape.test(value) ? value : undefined));

export const secretText = (type: string, shape: RegExp): Reader<Secret<string>> =>
  reader(type, (value) => (shape.test(value) ? new Secret(value) : undefined));

export const oneOf = <const T extends string>(...choices: readonly T[]): Reader<T> =>
  reader(choices.map((c) => `\`${c}\``).join(" or "), (value) => choices.find((c) => c === value));

export const yesOrNo: Reader<boolean> = reader("`true` or `false`", (value) =>
  words.get(value.toLowerCase()),
);

export const whole = (min: number, max: number, unit = ""): Reader<number> =>
  reader(`a whole number${unit && ` of ${unit}`} from ${min} to ${max}`, (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : -1;
    return number >= min && number <= max ? number : undefined;
  });

/** A part of something, without nothing and without more than all. */
export const share: Reader<number> = reader("a number from 0.1 to 1", (value) => {
  const number = /^\d(\.\d{1,4})?$/.test(value) ? Number(value) : 0;
  return number >= 0.1 && number <= 1 ? number : undefined;
});

/** Days; null for ever. */
export const keeping: Reader<number | null> = reader("`forever`, or days such as `90d`", (value) => {
  if (value === "forever") return null;
  const days = Number(/^(\d{1,5})d$/.exec(value)?.[1] ?? 0);
  return days > 0 ? days : undefined;
});

export const bytes = (min: number, max: number): Reader<number> =>
  reader(`bytes from ${min} to ${max}, also as \`512KiB\` or \`8MiB\``, (value) => {
    const [, digits, unit] = /^(\d{1,12})(|kib|mib)$/i.exec(value) ?? [];
    const number = Number(digits) * (units[(unit ?? "").toUpperCase()] ?? Number.NaN);
    return number >= min && number <= max ? number : undefined;
  });

/** An http or https URL without credentials, query or fragment; kept without a trailing slash. */
export const webAddress: Reader<string> = reader(
  "an http or https URL such as `https://oars.example.com`",
  (value) => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
      return undefined;
    }
    return url.href.replace(/\/+$/, "");
  },
);

export const postgresUrl: Reader<Secret<string>> = reader(
  "a URL such as `postgres://user:password@host:5432/database`",
  (value) => (URL.canParse(value) && /^postgres(ql)?:\/\/./.test(value) ? new Secret(value) : undefined),
);

/** Origins as browsers send them: scheme, host, port; or a lone `*`. */
export const origins: Reader<readonly string[]> = reader(
  "a comma list of origins such as `https://app.example.com`, or `*`",
  (value) => {
    const list = commaList(value);
    const isOrigin = (o: string): boolean => URL.canParse(o) && /^https?:/.test(o) && new URL(o).origin === o;
    return list.every((o) => isOrigin(o) || (o === "*" && list.length === 1)) ? list : undefined;
  },
);

/** Address blocks; a lone address is a block of one. */
export const addressBlocks: Reader<readonly string[]> = reader(
  "a comma list of address blocks such as `10.1.0.0/16,fd00::/8`",
  (value) => {
    const list = commaList(value).map(toBlock);
    return list.every((block) => block !== undefined) ? list : undefined;
  },
);

/** An entry that may be one tenant's own: `tenant_…=value`. */
function owned(entry: string): { tenantId: string | null; value: string } | undefined {
  const at = entry.indexOf("=");
  if (at < 0) return { tenantId: null, value: entry };
  const tenantId = parseId("tenant", entry.slice(0, at).trim());
  return tenantId === undefined ? undefined : { tenantId, value: entry.slice(at + 1).trim() };
}

const egressHost = /^(\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]{0,251})|\[[0-9a-f:.]+\])(?::([1-9]\d{0,4}))?$/;

export const egressHosts: Reader<
  readonly { readonly tenantId: string | null; readonly host: string; readonly port: number | null }[]
> = reader("a comma list such as `api.example.com,*.example.org:443,tenant_…=*:443`", (value) => {
  const list = commaList(value).map((entry) => {
    const own = owned(entry);
    const [, host = "", port] = egressHost.exec(own?.value.toLowerCase() ?? "") ?? [];
    if (own === undefined || host === "" || Number(port ?? 1) > 65_535) return undefined;
    const bare = host.startsWith("[") ? host.slice(1, -1) : host;
    return { tenantId: own.tenantId, host: bare, port: port === undefined ? null : Number(port) };
  });
  return list.every((rule) => rule !== undefined) ? list : undefined;
});

const toolPattern =
  /^(?:\*|[a-z][a-z0-9]*(?:\.[a-z][a-z0-9_]*)?|[A-Za-z0-9][A-Za-z0-9._-]{0,99}\/(?:\*|[a-z][a-z0-9]*\.[a-z][a-z0-9_]*))$/;

export const allowedTools: Reader<readonly { readonly tenantId: string | null; readonly pattern: string }[]> =
  reader("a comma list such as `slack,http.request,wms/*,tenant_…=crm/*`", (value) => {
    const list = commaList(value).map((entry) => {
      const own = owned(entry);
      return own !== undefined && toolPattern.test(own.value)
        ? { tenantId: own.tenantId, pattern: own.value }
        : undefined;
    });
    return list.every((entry) => entry !== undefined) ? list : undefined;
  });

export const key32: Reader<Secret<Uint8Array>> = reader(
  "32 random bytes as 64 hex digits or base64 (make one: `openssl rand -base64 32`)",
  (value) => {
    const key = soundKey(value);
    return key && new Secret(key);
  },
);

/** Keys as `key32`, in a comma list. */
export const key32List: Reader<readonly Secret<Uint8Array>[]> = reader(
  "a comma list of keys of 32 random bytes",
  (value) => {
    const keys = commaList(value).map(soundKey);
    return keys.every((key) => key !== undefined) ? keys.map((key) => new Secret(key)) : undefined;
  },
);

/** Random bytes: not a few that repeat, not ones that count up, not a readable text. */
function soundKey(text: string): Uint8Array | undefined {
  const key = decodeKey(text);
  if (!key || new Set(key).size <= 8) return undefined;
  const counts = key.every((byte, i) => i === 0 || byte === (((key[i - 1] ?? 0) + 1) & 0xff));
  const readable = key.every((byte) => byte >= 0x20 && byte < 0x7f);
  return counts || readable ? undefined : key;
}

/** A text of at least 32 characters that is neither a placeholder nor a repetition. */
export const passphrase: Reader<Secret<string>> = reader(
  "at least 32 random characters (make them: `openssl rand -base64 48`)",
  (value) => {
    const placeholder = /change[-_ ]?me|change[-_ ]?this|insecure|your[-_ ]secret|placeholder|example/i.test(
      value,
    );
    return value.length >= 32 && new Set(value).size > 8 && !placeholder ? new Secret(value) : undefined;
  },
);

/** A JSON array of objects. It may hold secrets, so it is never shown. */
export const jsonObjects: Reader<Secret<readonly Readonly<Record<string, unknown>>[]>> = reader(
  "a JSON array of objects",
  (value) => {
    try {
      const list: unknown = JSON.parse(value);
      const isObject = (entry: unknown): boolean =>
        typeof entry === "object" && entry !== null && !Array.isArray(entry);
      return Array.isArray(list) && list.every(isObject) ? new Secret(list) : undefined;
    } catch {
      return undefined;
    }
  },
);

/** An http or https URL that may hold a token in its path or query. */
export const secretAddress: Reader<Secret<string>> = reader("an http or https URL", (value) =>
  URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) ? new Secret(value) : undefined,
);

const commaList = (value: string): string[] =>
  value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

function toBlock(value: string): string | undefined {
  if (ipaddr.isValidCIDR(value)) return value;
  if (!ipaddr.isValid(value) || /^\d+$/.test(value)) return undefined;
  return `${value}/${ipaddr.parse(value).kind() === "ipv4" ? 32 : 128}`;
}

const listed = <T>(type: string, one: (text: string) => T): Reader<readonly T[]> =>
  reader(type, (value) => {
    try {
      return value
        .split(/[\s,]+/)
        .filter(Boolean)
        .map(one);
    } catch {
      return undefined;
    }
  });

export interface WitnessAddress {
  readonly url: string;
  readonly key: WitnessKey;
}

/** Witnesses, each as the prefix of its URL, `#` and its vkey. */
export const witnesses: Reader<readonly WitnessAddress[]> = listed(
  "witnesses as `https://witness.example/prefix#<vkey>`, with commas between",
  (text) => {
    const [, url = "", vkey = ""] = /^(https?:\/\/[^#]+)#(.+)$/.exec(text) ?? [];
    return { url: new URL(url).href.replace(/\/+$/, ""), key: parseWitnessVkey(vkey, sha256) };
  },
);

/** Keys of logs; the name of a key is the log's origin. */
export const logKeys: Reader<readonly NoteKey[]> = listed("vkeys of logs, with commas between", (text) =>
  parseVkey(text, sha256),
);
