/** For tests: an A2A agent as its SDK makes it, on loopback. It does what the text of a message says. */
import { AgentCard, Message, Task } from "@a2a-js/sdk";
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  InMemoryTaskStore,
  JsonRpcTransportHandler,
  ServerCallContext,
  validateVersion,
} from "@a2a-js/sdk/server";
import { type Peer, peer } from "./testing-connection.ts";

export interface AgentPeer extends AsyncDisposable {
  readonly url: string;
  /** What the agent was sent, in order. */
  readonly heard: { readonly method: string; readonly params: Record<string, unknown> }[];
}

const taskOf = (id: string, contextId: string, state: string, text: string) =>
  Task.fromJSON({
    id,
    contextId,
    status: {
      state: `TASK_STATE_${state}`,
      message: { messageId: "m1", role: "ROLE_AGENT", parts: [{ text }] },
    },
    artifacts: [],
    history: [],
  });

const executor: AgentExecutor = {
  async execute(request, bus) {
    const { taskId, contextId, userMessage } = request;
    const content = userMessage.parts[0]?.content;
    const said = content?.$case === "text" ? content.value : "";
    if (said === "hello") {
      const parts = [{ text: "hello yourself" }];
      bus.publish(
        AgentEvent.message(Message.fromJSON({ messageId: "a1", contextId, role: "ROLE_AGENT", parts })),
      );
    } else {
      bus.publish(AgentEvent.task(taskOf(taskId, contextId, said, `now ${said}`)));
    }
    bus.finished();
  },
  async cancelTask(taskId, bus) {
    bus.publish(AgentEvent.task(taskOf(taskId, "c1", "CANCELED", "stopped")));
    bus.finished();
  },
};

const cardFor = (url: string): AgentCard =>
  AgentCard.fromJSON({
    name: "Clerk",
    description: "Does what it is told",
    version: "1.0.0",
    supportedInterfaces: [{ url, protocolBinding: "JSONRPC", protocolVersion: "1.0" }],
    capabilities: {},
    defaultInputModes: ["text/plain"],
    defaultOutputModes: ["text/plain"],
    skills: [],
  });

/** `bearer`, when given, is what it wants to see of who calls. */
export async function agentPeer(bearer?: string): Promise<AgentPeer> {
  const heard: AgentPeer["heard"] = [];
  let agent: DefaultRequestHandler | undefined;
  const served: Peer = await peer(async (request, response) => {
    if (agent === undefined) throw new Error("the agent is made before anyone knows where it is");
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer); // no encoding is set
    response.setHeader("content-type", "application/json");
    if (bearer !== undefined && request.headers.authorization !== `Bearer ${bearer}`)
      return void response.writeHead(401).end("{}");
    const card = await agent.getAgentCard();
    if (request.url === "/.well-known/agent-card.json")
      return void response.end(JSON.stringify(AgentCard.toJSON(card)));
    const body = JSON.parse(Buffer.concat(chunks).toString());
    heard.push({ method: body.method, params: body.params });
    const requestedVersion = String(request.headers["a2a-version"] ?? "");
    validateVersion(requestedVersion, card, "JSONRPC");
    const answer = await new JsonRpcTransportHandler(agent).handle(
      body,
      new ServerCallContext({ requestedVersion }),
    );
    response.end(JSON.stringify(answer));
  });
  const url = `${served.origin}/a2a`;
  agent = new DefaultRequestHandler(cardFor(url), new InMemoryTaskStore(), executor);
  return { url, heard, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}
