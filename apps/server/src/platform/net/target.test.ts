import { describe, expect, it } from "vitest";
import { checkHeaders, checkMethod, hostOf, parseTarget } from "./target.ts";

describe("which requests can be sent at all", () => {
  it.each(["ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "example.com/x", "/x", ""])(
    "refuses %j, which is no http or https URL",
    (url) =>
      expect(() => parseTarget(url)).toThrow(
        expect.objectContaining({ code: "NET_URL_INVALID", sent: false }),
      ),
  );

  it("refuses credentials in a URL and does not repeat them", () => {
    expect(() => parseTarget("https://ann:hunter2@example.com/x?token=t0k3n")).toThrow(
      expect.objectContaining({
        code: "NET_URL_INVALID",
        message: expect.not.stringMatching(/hunter2|t0k3n/),
      }),
    );
    expect(() => parseTarget("https//ann:hunter2@example.com")).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("hunter2") }),
    );
  });

  it.each([
    ["http://2130706433/", "127.0.0.1"],
    ["http://0x7f000001/", "127.0.0.1"],
    ["http://0177.0.0.1/", "127.0.0.1"],
    ["http://127.1/", "127.0.0.1"],
    ["http://①②⑦.0.0.1/", "127.0.0.1"],
    ["http://[::ffff:127.0.0.1]/", "::ffff:7f00:1"],
    ["http://LOCALHOST./", "localhost"],
    ["http://example.com./", "example.com"],
  ])("%s is judged as %s", (url, host) => expect(hostOf(parseTarget(url))).toBe(host));

  it.each([
    ["line break in a value", { "x-a": "1\r\nx-admin: 1" }],
    ["line feed in a value", { "x-a": "1\nx-admin: 1" }],
    ["NUL in a value", { "x-a": "1\0" }],
    ["line break in a name", { "x-a\r\nx-admin": "1" }],
    ["space in a name", { "x a": "1" }],
    ["framing", { "Transfer-Encoding": "chunked" }],
    ["length", { "content-length": "5" }],
    ["another host", { Host: "internal" }],
    ["text beyond Latin-1", { "x-a": "żółw" }],
  ])("refuses a header that would change the message: %s", (_what, headers) =>
    expect(() => checkHeaders(headers as Record<string, string>)).toThrow(
      // every case is a record of strings
      expect.objectContaining({ code: "NET_HEADER_INVALID", sent: false }),
    ),
  );

  it("does not repeat a refused header's value", () => {
    expect(() => checkHeaders({ "x-a": "s3cret\n" })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("s3cret") }),
    );
  });

  it.each(["CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\n"])("refuses the method %j", (method) =>
    expect(() => checkMethod(method)).toThrow(expect.objectContaining({ code: "NET_METHOD_INVALID" })),
  );
});
