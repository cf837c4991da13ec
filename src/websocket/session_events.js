/** The diagnostic events of a session: made only when somebody wants them. */
export function tellOpened(diagnostics, session) {
    if (!diagnostics.wants("connection:open"))
        return;
    const { protocol, extensions } = session.socket;
    diagnostics.publish("connection:open", { ...about(session), protocol, extensions });
}
export function tellClosed(diagnostics, session, info) {
    if (!diagnostics.wants("connection:close"))
        return;
    diagnostics.publish("connection:close", { ...about(session), ...info });
}
export function tellFailed(diagnostics, session, error) {
    if (!diagnostics.wants("connection:error"))
        return;
    diagnostics.publish("connection:error", { ...about(session), error });
}
export function tellPressure(diagnostics, session, state) {
    if (!diagnostics.wants("connection:backpressure"))
        return;
    const bufferedBytes = session.outbox.queuedBytes;
    diagnostics.publish("connection:backpressure", { ...about(session), state, bufferedBytes });
}
export function tellLimit(diagnostics, session, action) {
    if (diagnostics.wants("connection:limit")) {
        diagnostics.publish("connection:limit", { ...about(session), action });
    }
}
/** What all of them say. */
function about({ socket, settings }) {
    return { socket, role: settings.isClient ? "client" : "server", url: socket.url };
}
