/** Why an endpoint has no connection: one typed reason for every end and every failed attempt. */
/** The kind of an end that the endpoint has not brought about itself. */
export function kindOfEnd(session) {
    switch (session.failure?.code) {
        case "ERR_HANDLER":
            return "handler";
        case "ERR_PONG_TIMEOUT":
        case "ERR_IDLE_TIMEOUT":
            return "heartbeat";
        default:
            if (session.isClosedByUs)
                return "local";
            if (session.failure !== undefined)
                return "broken";
            // Neither side's doing: the program has closed the loop under it.
            return session.closeInfo?.wasClean === true ? "closed" : "local";
    }
}
