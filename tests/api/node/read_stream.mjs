// Reads /api/stream_execute_vm as a useChat front end does, and prints what it got.
// node read_stream.mjs URL TEXT [BODY as JSON]
import { DefaultChatTransport, readUIMessageStream } from "ai";

const [url, text, body] = process.argv.slice(2);
const transport = new DefaultChatTransport({
  api: `${url}/api/stream_execute_vm`,
  body: body ? JSON.parse(body) : undefined,
});
const stream = await transport.sendMessages({
  trigger: "submit-message",
  chatId: "chat-1",
  messageId: undefined,
  messages: [{ id: "message-1", role: "user", parts: [{ type: "text", text }] }],
  abortSignal: undefined,
});
const chunks = [];
const seen = stream.pipeThrough(
  new TransformStream({
    transform(chunk, controller) {
      chunks.push(chunk);
      controller.enqueue(chunk);
    },
  }),
);
const errors = [];
let message;
for await (const state of readUIMessageStream({
  stream: seen,
  onError: (error) => errors.push(String(error)),
})) {
  message = state;
}
console.log(JSON.stringify({ chunks, errors, message }));
