/** `text/event-stream` (WHATWG HTML §9.2.6) out of bytes. An event that the end of the stream cuts is dropped. */
export interface ServerEvent {
  /** The last id that the stream gave, with this event or before it. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** The longest line that is kept: hostile streams end here, not with the memory. In UTF-16 units. */
const longestLine = 64 * 1024 * 1024;

/** `onBytes` is called with every piece, comments included: whoever watches sees that the server lives. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<ServerEvent, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const lines = createLines();
  const feed = createFields();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      for (const line of lines(decoder.decode(value, { stream: true }))) {
        const event = feed(line);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined); // the connection is not wanted any more
  }
}

/** Whole lines out of pieces; LF, CRLF and CR end a line, also when a piece ends between CR and LF. */
function createLines(): (piece: string) => string[] {
  let rest = "";
  let afterCr = false;
  return (piece) => {
    let text = piece;
    if (afterCr && text !== "") {
      if (text.startsWith("\n")) text = text.slice(1);
      afterCr = false;
    }
    if (text.endsWith("\r")) afterCr = true;
    const parts = text.split(/\r\n|\n|\r/);
    parts[0] = rest + (parts[0] ?? "");
    rest = parts.pop() ?? "";
    if (rest.length > longestLine) throw new RangeError("a line of the event stream is too long");
    return parts;
  };
}

function createFields(): (line: string) => ServerEvent | undefined {
  let id = "";
  let event = "";
  let data: string[] = [];
  return (line) => {
    if (line === "") {
      const whole = data.length === 0 ? undefined : { id, event: event || "message", data: data.join("\n") };
      event = "";
      data = [];
      return whole;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") data.push(value);
    else if (field === "event") event = value;
    else if (field === "id" && !value.includes("\0")) id = value;
    return undefined;
  };
}
