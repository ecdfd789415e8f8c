import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readEvents, type ServerEvent } from "./event-source.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function read(pieces: readonly Uint8Array[]): Promise<ServerEvent[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  const events: ServerEvent[] = [];
  for await (const event of readEvents(body)) events.push(event);
  return events;
}

describe("an event stream", () => {
  it.each<[string, string, ServerEvent[]]>([
    [
      "fields with and without a space",
      "id:1\nevent: a\ndata:  x\n\n",
      [{ id: "1", event: "a", data: " x" }],
    ],
    ["several data lines", "data: a\ndata\ndata: b\n\n", [{ id: "", event: "message", data: "a\n\nb" }]],
    ["comments and unknown fields", ": here\nfoo: 1\ndata: a\n\n", [{ id: "", event: "message", data: "a" }]],
    ["events without data", "event: a\n\nid: 7\n\ndata: b\n\n", [{ id: "7", event: "message", data: "b" }]],
    ["an id with a NUL", "id: 1\0\ndata: b\n\n", [{ id: "", event: "message", data: "b" }]],
    ["an event that is cut", "data: a\n\ndata: b\n", [{ id: "", event: "message", data: "a" }]],
    ["a byte order mark", "\ufeffdata: a\n\n", [{ id: "", event: "message", data: "a" }]],
  ])("reads %s", async (_what, text, events) => {
    expect(await read([bytes(text)])).toEqual(events);
  });

  it("reads the same events however lines end and wherever the network cuts the bytes", async () => {
    const text = "id: 1\nevent: é\ndata: ü€😀\n\n: c\n\nid: 2\ndata: x\ndata: y\n\n";
    const whole = await read([bytes(text)]);
    expect(whole).toHaveLength(2);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("\n", "\r\n", "\r"),
        fc.array(fc.nat(90), { maxLength: 12 }),
        async (ending, cuts) => {
          const all = bytes(text.replaceAll("\n", ending));
          const at = [0, ...cuts.sort((a, b) => a - b), all.length];
          const pieces = at.slice(1).map((end, i) => all.slice(at[i], end));
          expect(await read(pieces)).toEqual(whole);
        },
      ),
    );
  });
});
