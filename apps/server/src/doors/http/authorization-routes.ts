/** Consents of people for connections: begun with a call, ended by the browser that comes back. */
import {
  authorizationAnswer,
  connectionAuthorization,
  connectionAuthorized,
  resourceName,
} from "@oars/contract";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { isOarsError } from "#platform/kernel";
import { route, type ServiceRoute } from "./services.ts";

const tag = "connections";
const html = "text/html; charset=utf-8";
const cookieName = "oars_consent";
const cookiePath = "/v1/oauth/callback";

export const authorizationRoutes: readonly ServiceRoute[] = [
  route({
    method: "POST",
    path: "/v1/connections/:name/authorize",
    access: "connections:write",
    tag,
    summary: "Begin a person's consent",
    description:
      "For connections with `oauth2` and the grant `authorization_code`. The person opens `url`. A browser that made this call is known by a cookie when it comes back; elsewhere the address that the person comes back to is passed to `POST /v1/oauth/callback` by the same principal.",
    params: z.strictObject({ name: resourceName }),
    notFound: "CONNECTION_NOT_FOUND",
    answer: { status: 201, body: connectionAuthorization },
    handle: async ({ connectors }, { caller, params, reply }) => {
      const { url, expiresAt, browser } = await connectors.authorize(caller, params.name);
      const secure = connectors.redirectUri.startsWith("https:") ? "; Secure" : "";
      reply.header(
        "set-cookie",
        `${cookieName}=${browser}; Path=${cookiePath}; Max-Age=600; HttpOnly; SameSite=Lax${secure}`,
      );
      return { url, expiresAt };
    },
  }),
  route({
    method: "POST",
    path: "/v1/oauth/callback",
    access: "connections:write",
    tag,
    summary: "End a consent that the same principal began",
    description: "With the parameters of the address to which the authorization server sent the person.",
    body: authorizationAnswer,
    answer: { status: 200, body: connectionAuthorized },
    handle: async ({ connectors }, { caller, body }) => ({
      connection: await connectors.endAuthorization(caller, body),
    }),
  }),
  route({
    method: "GET",
    path: "/v1/oauth/callback",
    access: "anonymous",
    signed: true,
    tag,
    summary: "Where authorization servers send people back to",
    description:
      "Ends the consent in the browser that began it, which its cookie shows; in any other it ends nothing.",
    query: z.looseObject({ ...authorizationAnswer.shape, state: z.string().max(200).default("") }),
    answer: { status: 200, type: html, description: "A page for the person" },
    handle: async ({ connectors }, { query, request, reply }) => {
      reply.header("cache-control", "no-store").header("referrer-policy", "no-referrer");
      const cookie = cookieOf(request);
      if (cookie === undefined) return page("Not finished yet", pasteText);
      try {
        const { state, code, error, iss } = query;
        await connectors.endInBrowser({ state, code, error, iss }, cookie);
        reply.header("set-cookie", `${cookieName}=; Path=${cookiePath}; Max-Age=0; HttpOnly; SameSite=Lax`);
        return page("Connected", "The connection is authorized. You can close this page.");
      } catch (error) {
        if (!isOarsError(error)) throw error;
        const told = page("Not connected", error.message);
        return reply.code(error.status).header("content-type", html).send(told);
      }
    },
  }),
];

const pasteText =
  "This browser did not begin the authorization. Copy the address of this page and give it to the program that did, such as: oars connection finish ADDRESS";

function cookieOf(request: FastifyRequest): string | undefined {
  const header = request.headers.cookie ?? "";
  return new RegExp(`(?:^|;\\s*)${cookieName}=([A-Za-z0-9_-]{43})(?:;|$)`).exec(header)?.[1];
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

const page = (title: string, text: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title><h1>${escaped(title)}</h1><p>${escaped(text)}</p></html>`;
