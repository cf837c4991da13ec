/*
 * See tls_parties.h.
 */
#include "tls_parties.h"

struct parties parties;

void parties_make(void)
{
	if (parties.authority.certificate)
		return;
	identity_make(&parties.authority, &(struct wanted){ .common_name = "Test authority", .is_authority = true });
	identity_make(&parties.server, &(struct wanted){ .common_name = "server", .names = "DNS:a.example,DNS:*.wild.example,IP:127.0.0.1,IP:::1",
						 .issuer = &parties.authority });
	identity_make(&parties.other, &(struct wanted){ .common_name = "other", .names = "DNS:b.example", .issuer = &parties.authority });
}

void server_configuration(struct configuration *configuration, uint32_t flags)
{
	parties_make();
	configuration->used = 0;
	configuration_flags(configuration, flags);
	configuration_identity(configuration, &parties.server);
}

void client_configuration(struct configuration *configuration, uint32_t flags)
{
	parties_make();
	configuration->used = 0;
	configuration_flags(configuration, flags | RW_TLS_VERIFY);
	configuration_text(configuration, RW_TLS_AUTHORITY, parties.authority.certificate_pem);
}

uint32_t open_server(uint32_t flags)
{
	struct configuration configuration;

	server_configuration(&configuration, flags);
	return configuration_open(&configuration, RW_TLS_SERVER);
}

uint32_t open_client(uint32_t flags)
{
	struct configuration configuration;

	client_configuration(&configuration, flags);
	return configuration_open(&configuration, RW_TLS_CLIENT);
}
