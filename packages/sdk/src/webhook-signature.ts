/**
 * The `webhook-signature` header of Standard Webhooks (standardwebhooks.com): HMAC-SHA256 over
 * `id.timestamp.body`. `secret` is text, or base64 after `whsec_`; `timestamp` is in whole seconds; `body` is
 * exactly what is sent. Send it with `webhook-id` and `webhook-timestamp`.
 */
export async function signWebhook(
  secret: string,
  id: string,
  timestamp: number,
  body: string | Uint8Array,
): Promise<string> {
  const text = new TextEncoder();
  const key = secret.startsWith("whsec_") ? fromBase64(secret.slice(6)) : text.encode(secret);
  const head = text.encode(`${id}.${timestamp}.`);
  const tail = typeof body === "string" ? text.encode(body) : body;
  const message = new Uint8Array(head.length + tail.length);
  message.set(head);
  message.set(tail, head.length);
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, hmac, false, ["sign"]);
  return `v1,${toBase64(new Uint8Array(await crypto.subtle.sign("HMAC", imported, message)))}`;
}

const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
