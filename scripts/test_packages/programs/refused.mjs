/** What a program hears where its runtime does not permit networks; an exception that nobody catches would end it. */
import { connect, serve } from "ringwire";

const attempts = {
  serve: () => serve({ port: 0, hostname: "127.0.0.1", websocket: {} }),
  address: () => connect("ws://127.0.0.1:9/"),
  name: () => connect("ws://localhost:9/"),
};
const codes = {};
for (const [name, attempt] of Object.entries(attempts)) {
  codes[name] = await attempt().then(
    () => "nothing refused",
    (error) => error.code ?? String(error),
  );
}
console.log(JSON.stringify(codes));
