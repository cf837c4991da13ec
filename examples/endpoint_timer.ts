/**
 * An endpoint that does something every so often while it is connected: a heartbeat of the application's own, whose missing answer is as
 * good as a lost connection. Ends by itself.
 */
import { Service, serve } from "ringwire";

let beats = 0;
const server = await serve({
  port: 0,
  hostname: "127.0.0.1",
  websocket: {
    message(ws, data) {
      // The third one goes unanswered.
      if (++beats !== 3) ws.send(`answer to ${data}`);
    },
  },
});

await using service = new Service({ context: { answered: true, number: 0 } });
await new Promise<void>((resolve) => {
  service.add({
    url: server.url,
    heartbeat: {
      intervalMs: 100,
      send(ws, context) {
        context.answered = false;
        ws.send(`beat ${++context.number}`);
      },
      isAlive: (_ws, context) => context.answered,
    },
    websocket: {
      open: () => console.log("open"),
      message(_ws, data, _isText, context) {
        console.log(String(data));
        context.answered = true;
        if (context.number === 5) resolve();
      },
    },
    closed: ({ kind }) => console.log(`lost: ${kind}`),
  });
});
await service.close();
await server.stop();
