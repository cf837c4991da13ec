// Peer: uWebSockets, C++, as an echo server: epoll, without TLS and compression, limits up, never idle.
#include "App.h"

#include <cstdio>
#include <cstdlib>

struct PerSocketData {};

int main()
{
	const unsigned int largest = 64 << 20;

	uWS::App()
		.ws<PerSocketData>("/*", {
			.compression = uWS::DISABLED,
			.maxPayloadLength = largest,
			.idleTimeout = 0,
			.maxBackpressure = largest,
			.closeOnBackpressureLimit = false,
			.resetIdleTimeoutOnSend = false,
			.sendPingsAutomatically = false,
			.message = [](auto *ws, std::string_view message, uWS::OpCode opcode) { ws->send(message, opcode); },
		})
		.listen("127.0.0.1", 0, [](us_listen_socket_t *listener) {
			if (!listener)
				exit(1);
			printf("listening %d\n", us_socket_local_port(0, (us_socket_t *)listener));
			fflush(stdout);
		})
		.run();
	return 1;
}
