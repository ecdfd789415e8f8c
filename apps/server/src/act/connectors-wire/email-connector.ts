import { z } from "zod";
import {
  type Connector,
  connectionField,
  defineOperation,
  hostField,
  lineField,
  portField,
  secretReference,
  timeoutField,
} from "#act/connector-kit";
import { sendMail, verifyMail } from "./email-send.ts";

/** One address without a name: nothing in it can become another header or another recipient. */
const address = z
  .email({ error: "must be one e-mail address such as ann@example.com" })
  .max(254)
  .refine((text) => !/[\s,;<>"()\\]/.test(text), { error: "must be one plain e-mail address" });

const domain = z
  .string()
  .regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/, { error: "must be a domain such as example.com" });

export const emailConfig = z
  .strictObject({
    host: hostField,
    port: portField.optional(),
    /** `tls`: from the first byte; `starttls`: upgraded before anything else; `off`: only on a network that you trust. */
    security: z.enum(["tls", "starttls", "off"]).default("starttls"),
    ca: z.string().max(100_000).optional(),
    auth: z.strictObject({ user: lineField(254), password: secretReference }).optional(),
    from: address,
    fromName: lineField(100).optional(),
    /** Domains that may get mail; absent: all. */
    allowedDomains: z.array(domain).max(200).optional(),
    maxRecipients: z.int().min(1).max(500).default(50),
    timeout: timeoutField.default(30_000),
  })
  .transform((config) => ({
    ...config,
    port: config.port ?? { tls: 465, starttls: 587, off: 25 }[config.security],
  }));
export type EmailSettings = z.output<typeof emailConfig>;

const addresses = z.array(address).max(500);
const attachment = z.strictObject({
  filename: lineField(200).refine((name) => !/[/\\]/.test(name), { error: "must be a name without a path" }),
  /** Text, or base64 with `base64: true`. */
  content: z.string().max(20_000_000),
  base64: z.boolean().default(false),
  contentType: z
    .string()
    .regex(/^[\w.+-]+\/[\w.+-]+$/)
    .optional(),
});

export const emailInput = z
  .strictObject({
    connection: connectionField,
    to: addresses.min(1),
    cc: addresses.default([]),
    bcc: addresses.default([]),
    replyTo: address.optional(),
    subject: lineField(500),
    text: z.string().max(1_000_000).optional(),
    html: z.string().max(1_000_000).optional(),
    priority: z.enum(["low", "normal", "high"]).default("normal"),
    attachments: z.array(attachment).max(20).default([]),
  })
  .refine((input) => input.text !== undefined || input.html !== undefined, {
    path: ["text"],
    error: "give text, html or both",
  });
export type EmailInput = z.output<typeof emailInput>;

const recipients = (input: EmailInput): string[] => [
  ...new Set([...input.to, ...input.cc, ...input.bcc].map((one) => one.toLowerCase())),
];

const send = defineOperation<EmailSettings, EmailInput>({
  name: "email.send",
  title: "Send a message",
  description: "Sends one e-mail message to all its recipients.",
  verbs: ["send"],
  input: emailInput,
  output: z.looseObject({
    messageId: z.string(),
    accepted: z.array(z.string()),
    rejected: z.array(z.string()),
  }),
  meaning(settings, input) {
    const all = recipients(input);
    const problems = [];
    if (all.length > settings.maxRecipients) {
      const message = `has ${all.length} recipients, and the connection allows ${settings.maxRecipients}`;
      problems.push({ path: "input.to", code: "EMAIL_RECIPIENTS", message });
    }
    const { allowedDomains } = settings;
    for (const one of all) {
      const at = one.slice(one.lastIndexOf("@") + 1);
      if (allowedDomains === undefined || allowedDomains.includes(at)) continue;
      const message = `${at} is not among the domains that the connection may write to`;
      problems.push({ path: "input.to", code: "EMAIL_DOMAIN", message });
    }
    return {
      verb: "send",
      target: `mailto:${all.slice(0, 20).join(",")}${all.length > 20 ? `,+${all.length - 20}` : ""}`,
      idempotent: false,
      facts: {
        email_recipients: all.length,
        email_domains: [...new Set(all.map((one) => one.slice(one.lastIndexOf("@") + 1)))]
          .sort()
          .join(" ")
          .slice(0, 500),
      },
      problems,
    };
  },
  execute: sendMail,
  emulate: (_connection, input) => ({
    messageId: "<emulated@localhost>",
    accepted: recipients(input),
    rejected: [],
  }),
});

/** Sends mail through one SMTP server. */
export const emailConnector: Connector<EmailSettings> = {
  name: "email",
  title: "E-mail",
  description: "Sends e-mail through one SMTP server.",
  docs: "https://www.rfc-editor.org/rfc/rfc5321",
  auth: ["none", "password"],
  configSchema: emailConfig,
  operations: { "email.send": send },
  factSpecs: () => [
    { name: "email_recipients", type: "integer" },
    { name: "email_domains", type: "string" },
  ],
  secretNames: (settings) => (settings.auth === undefined ? [] : [settings.auth.password]),
  test: verifyMail,
  fixtures: {
    config: {
      host: "smtp.example.com",
      auth: { user: "oars", password: "vault:smtp-password" },
      from: "oars@example.com",
    },
    inputs: {
      "email.send": [
        {
          input: {
            to: ["Ann@example.com"],
            cc: ["bob@example.org"],
            subject: "Order 7",
            text: "It is late.",
          },
          shape: {
            verb: "send",
            target: "mailto:ann@example.com,bob@example.org",
            idempotent: false,
            facts: { email_recipients: 2, email_domains: "example.com example.org" },
          },
        },
      ],
    },
  },
};
