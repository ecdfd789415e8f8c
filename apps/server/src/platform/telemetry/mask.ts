/**
 * Keeps secrets out of the log. Works on the finished line, so that fields, child fields, errors and messages
 * all pass through one place. Two rules: a value under a secret's name is replaced at any depth, and text that
 * has the shape of a credential is replaced wherever it stands.
 * A line that cannot be masked is left out (fail closed).
 */

const masked = "[masked]";

/** Cheap test that lets most lines through untouched; `isSecretName` decides. */
const hint = /passw|pwd|passphrase|secret|token|authorization|cookie|signature|credential|kek|jwt|key"/i;

const secretEndings = [
  "password",
  "passwd",
  "passphrase",
  "secret",
  "secrets",
  "token",
  "tokens",
  "authorization",
  "cookie",
  "cookies",
  "signature",
  "apikey",
  "apikeys",
  "privatekey",
  "secretkey",
  "signingkey",
  "encryptionkey",
  "vaultkey",
  "credential",
  "credentials",
  "kek",
  "jwt",
];
const secretNames = new Set(["key", "pwd", "pass", ...secretEndings]);

/** True for names such as `x-api-key`, `clientSecret`, `webhook-signature`, `refresh_token`, `key`. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[-_. ]/g, "");
  return secretNames.has(plain) || secretEndings.some((ending) => plain.endsWith(ending));
}

const shapes: readonly (readonly [RegExp, string])[] = [
  [/\boars_[A-Za-z0-9_-]{8,}/g, `oars_${masked}`],
  [/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?(?:~[A-Za-z0-9_-]+)*~?/g, masked],
  [/\b(Bearer|Basic|DPoP)(\s+)[A-Za-z0-9._~+/=-]{6,}/gi, `$1$2${masked}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@"\\]*):[^\s/@"\\]+@/gi, `$1:${masked}@`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?=")|$)/gs, masked],
  [
    /(\\"[\w-]*(?:password|secret|token|api[-_]?key|authorization)\\"\s*:\s*\\")(?:[^"\\]|\\\\.)*/gi,
    `$1${masked}`,
  ],
  [/([?&][\w-]*(?:password|secret|token|signature|key)=)[^&\s"\\]+/gi, `$1${masked}`],
];
const shapeHint = /oars_|eyJ|bearer|basic|dpop|:\/\/|-----BEGIN|\\"|[?&]\w/i;

/** One log line, with its line break, without its secrets. */
export function maskLine(line: string): string {
  let text = line;
  if (hint.test(line)) {
    try {
      text = `${JSON.stringify(maskFields(JSON.parse(line)))}\n`;
    } catch {
      return `${JSON.stringify({ level: "error", msg: "a log line could not be masked and was left out" })}\n`;
    }
  }
  if (!shapeHint.test(text)) return text;
  for (const [shape, replacement] of shapes) text = text.replace(shape, replacement);
  return text;
}

function maskFields(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(maskFields);
  const fields: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    fields[name] = isSecretName(name) && !isHarmless(name, field) ? masked : maskFields(field);
  }
  return fields;
}

/** Flags and absent values say nothing, and a number of tokens is what a model used. */
const isHarmless = (name: string, value: unknown): boolean =>
  value === null || typeof value === "boolean" || (typeof value === "number" && /tokens$/i.test(name));
