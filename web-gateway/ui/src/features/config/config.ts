// The configuration of the server that answers.
import { client } from "$/api/clients";
import { ConfigService } from "$/gen/sprout/config/v1/config_pb";

export const config = client(ConfigService);
